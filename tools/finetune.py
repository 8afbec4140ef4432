"""Fine-tune a model on your own data: one command from a COCO-format folder to a report.

Writes the config that it runs, trains with tools/train.py, chooses the best checkpoint on the val
split, tests it once with tools/test.py, and ends with a table and a page. A run that was
interrupted continues when the same command is given again; finished parts are not repeated.

Example:
    python tools/finetune.py --data data/raccoon --checkpoint glip_swin-t_o365-goldg \
        --shots 5 --seeds 3 30 300
    python tools/finetune.py --data odinw:Aquarium --checkpoint glip_tiny.pth \
        --config configs/glip/glip_swin-t_o365-goldg.py --tuning linear
"""

import argparse
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from glip_mm_cli.options import parse_early
from glip_mm_cli.training_options import add_training_options

#: Published seeds of the leaderboard's few-shot files.
SEEDS = (3, 30, 300)


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        usage='%(prog)s --data FOLDER|odinw:NAME --checkpoint FILE|NAME [options]',
        allow_abbrev=False)
    parser.add_argument('--data', required=True, metavar='FOLDER|odinw:NAME',
                        help='a folder with train, val and test splits in COCO format, or a data '
                        'set of ODinW')
    add_training_options(parser)
    parser.add_argument('--train-file', metavar='FILE.json', help='a prepared few-shot annotation '
                        'file in place of a subset of the training split')
    parser.add_argument('--prompts', metavar='FILE.json', help='how classes stand in the prompt: '
                        '{"CLASS": {"phrase", "prefix", "suffix", "synonyms": [...]}}')
    parser.add_argument('--val-fraction', type=float, metavar='SHARE', help='make this share of '
                        'the training images the val split, where there is none')
    parser.add_argument('--retention', nargs='+', default=[], metavar='[NAME=]CONFIG',
                        help='test these configs, too, before and after: what tuning costs on the '
                        'original vocabulary')
    parser.add_argument('--no-report', action='store_true', help='leave out the HTML page')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from glip_mm.apis.repeated_tests import Task
from glip_mm.file_lock import writing_into
from glip_mm.finetuning.run import default_work_dir, empty_images, prepare, run_seeds


def main() -> None:
    """Run the fine-tuning."""
    parser = make_parser()
    args = parser.parse_args()
    if args.train_file and not args.shots:
        parser.error('--train-file needs --shots: how many the file has of each class')
    if args.shots == 0 and (args.retention or args.replay):
        parser.error('--shots 0 trains nothing: leave --retention and --replay out')
    if args.val and not args.shots:
        parser.error(f'--val {args.val} needs --shots: how many images of each class are trained; '
                     'other runs choose the checkpoint on the whole val split')
    seeds = args.seeds or [SEEDS[0]]
    if len(set(seeds)) < len(seeds) or max(seeds) >= 1 << 32:
        parser.error(f'--seeds {seeds}: give each once, and none of 2^32 or more')
    seeds = seeds[:1] if args.shots == 0 else seeds
    work_dir = Path(args.work_dir or default_work_dir(args))
    # child processes must end with this one
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kept: list[Task] = []
    folder = ExitStack()  # of this program until its end
    try:
        folder.enter_context(writing_into(work_dir))
        command = shlex.join(['python', 'tools/finetune.py', *sys.argv[1:]])
        configs, splits = prepare(args, work_dir, seeds, kept, command)
    except (ImportError, KeyError, OSError, TypeError, ValueError) as error:
        ours = len(error.args) == 1 and isinstance(error.args[0], str)
        parser.exit(2, f'{parser.prog}: error: {error.args[0] if ours else error}\n')
    if splits.description:
        print(splits.description)
    print(f"{splits.name}: classes {list(splits.classes)}, tuning '{args.tuning}', shots "
          f"{'all' if args.shots is None else args.shots}, val {args.val}", flush=True)
    count = sum(empty_images(splits, args.keep_empty).values())
    if count and args.shots != 0:
        print(f"{count} training images without boxes are "
              + ('kept: background for all words' if args.keep_empty else
                 'left out, as published (--keep-empty keeps them)'), flush=True)
    for doubt in splits.doubts:
        print(f'WARNING: {doubt}', flush=True)
    with folder:
        print(run_seeds(args, work_dir, splits, configs, kept))


if __name__ == '__main__':
    main()
