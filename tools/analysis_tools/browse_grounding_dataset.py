"""Browse the data of a config: images with boxes, captions in the colours of the boxes.

Example:
    python tools/analysis_tools/browse_grounding_dataset.py \
        configs/quickstart/glip_nano_grounding-world.py --num 24 --html world.html
    python tools/analysis_tools/browse_grounding_dataset.py \
        configs/quickstart/glip_nano_grounding-world.py --stage raw --index 0:8 3000 \
        --out-dir pictures
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

from glip_mm_cli.ending import no_room
from glip_mm_cli.options import add_cfg_options, merge_cfg_options, parse_early
from glip_mm_cli.outputs import check_folder_apart


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train',
                        help='whose dataloader (default: train)')
    parser.add_argument('--member', type=int, metavar='K',
                        help='look at the K-th dataset of several, from 0')
    parser.add_argument('--stage', choices=['pipeline', 'raw'], default='pipeline',
                        help='pipeline: what the model gets (default); raw: the annotation as it '
                        'was read')
    parser.add_argument('--index', nargs='+', metavar='I', help='samples to show: numbers, or '
                        'ranges such as 10:20')
    parser.add_argument('--num', type=int, default=16,
                        help='without --index: this many, drawn at random (default: 16)')
    parser.add_argument('--seed', type=int, default=0,
                        help='of the drawing, and of the transforms of each sample (default: 0)')
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument('--out-dir', metavar='FOLDER', help='write one PNG for each sample')
    where.add_argument('--html', metavar='FILE', help='write one page that needs nothing else')
    parser.add_argument('--max-side', type=int, default=800,
                        help='larger images are made smaller (default: 800)')
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

import numpy as np
import torch
from mmengine.config import Config
from tqdm import tqdm

from glip_mm.apis.building import build_dataset
from glip_mm.visualization import HtmlPage, read_sample, save_image


def choose(total: int, index: list[str] | None, num: int, seed: int) -> list[int]:
    """Choose the indices to show, in order.

    Raises:
        ValueError: If an index is out of range or no number.
    """
    if index is None:
        if num < 1:
            raise ValueError(f'--num {num} must be at least 1')
        return sorted(random.Random(seed).sample(range(total), min(num, total)))
    result: list[int] = []
    for text in index:
        first, colon, stop = text.partition(':')
        try:
            chosen = range(int(first or 0), int(stop or total)) if colon else [int(first)]
        except ValueError:
            raise ValueError(f"--index '{text}' is neither a number nor a range such as "
                             '10:20') from None
        bad = [i for i in chosen if not 0 <= i < total]
        if bad:
            raise ValueError(f'--index {text}: there are {total} samples, 0 to {total - 1}')
        result += chosen
    return result


def browse(args: argparse.Namespace, dataset: object) -> Counter:
    """Draw images; return the counts of shown samples."""
    chosen = choose(len(dataset), args.index, args.num, args.seed)
    page = None
    if args.html:
        page = HtmlPage(args.html, f'{Path(args.config).stem}: {args.split}, {args.stage}',
                        f'{len(chosen)} of {len(dataset)} samples, seed {args.seed}.')
    count: Counter = Counter()
    try:
        for index in tqdm(chosen, desc='samples', unit='image', mininterval=0.5):
            # the transforms of a sample depend on its index alone
            _seed(args.seed, index)
            try:
                sample = read_sample(dataset, index, args.stage)
                if page is not None:
                    page.add(sample, f'sample {index}', args.max_side)
                else:
                    check_folder_apart(args.out_dir, [sample.path])
                    name = f'{index:06d}_{Path(sample.path).stem or "image"}.png'
                    title = f'{index}  {sample.where or Path(sample.path).name}'
                    save_image(Path(args.out_dir) / name,
                               sample.draw(title=title, max_side=args.max_side))
            # an error in one sample must not hide the others
            except Exception as error:
                if no_room(error):
                    raise
                count['failed'] += 1
                message = f'{type(error).__name__}: {error}'
                tqdm.write(f'sample {index}: {message}', file=sys.stderr)
                if page is not None:
                    page.add_error(f'sample {index}', message)
                continue
            count['shown'] += 1
            count['boxes'] += len(sample.boxes)
            count['without boxes'] += not len(sample.boxes)
    except BaseException as error:
        if page is not None:
            page.__exit__(type(error), error, error.__traceback__)
        raise
    if page is not None:
        page.__exit__(None, None, None)
    return count


def _seed(seed: int, index: int) -> None:
    values = np.random.SeedSequence([seed, index]).generate_state(3).tolist()
    random.seed(values[0])
    np.random.seed(values[1])
    torch.manual_seed(values[2])


def main() -> None:
    """Draw the images."""
    parser = make_parser()
    args = parser.parse_args()
    if not Path(args.config).is_file():
        parser.error(f"config '{args.config}' is not a file")
    config = Config.fromfile(args.config)
    try:
        merge_cfg_options(config, args.cfg_options)
        dataset = build_dataset(config, args.split, args.member)
        count = browse(args, dataset)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f"{count['shown']} samples with {count['boxes']} boxes, {count['without boxes']} of them "
          f"without a box, {count['failed']} failed: {args.html or args.out_dir}")
    if count['failed'] and not count['shown']:
        sys.exit(1)


if __name__ == '__main__':
    main()
