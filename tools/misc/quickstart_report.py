"""Report of the quickstart: drawn images, a table and summary.json from training and test.

Example:
    python tools/misc/quickstart_report.py
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.training_folder import newest_checkpoint

# summary key -> key of tools/test.py's metrics, in 0..1
METRICS = dict(
    ap_seen='seen/coco/bbox_mAP', ap50_seen='seen/coco/bbox_mAP_50',
    ap_unseen_pairs='unseen/coco/bbox_mAP', ap50_unseen_pairs='unseen/coco/bbox_mAP_50',
    ap50_synonyms='synonyms/coco/bbox_mAP_50', phrase_recall_at_1='grounding/phrases/Recall@1')
COSTS = ('train_seconds', 'peak_rss_mb')
#: Rows of the table: summary key -> description.
ROWS = dict(
    ap_seen='AP, pairs seen in training',
    ap50_seen='AP50, pairs seen in training',
    ap_unseen_pairs='AP, pairs never seen',
    ap50_unseen_pairs='AP50, pairs never seen',
    ap50_synonyms='AP50, words never seen',
    phrase_recall_at_1='phrase recall @ 1',
    train_seconds='training, seconds',
    peak_rss_mb='training, peak memory in MiB')


class Promise(NamedTuple):
    """A result that every run of the quickstart should reach, and the check of a summary."""

    text: str
    is_kept: Callable[[dict[str, float]], bool]


PROMISES = (
    Promise('AP50 of pairs never seen >= 68', lambda s: s['ap50_unseen_pairs'] >= 68),
    Promise('AP50 of pairs never seen >= 75 % of that of seen pairs',
            lambda s: s['ap50_unseen_pairs'] >= .75 * s['ap50_seen']),
    Promise('phrase recall @ 1 >= 90', lambda s: s['phrase_recall_at_1'] >= 90),
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', default='configs/quickstart/glip_nano_grounding-world.py')
    parser.add_argument('--checkpoint', help='default: the last one in --train-dir')
    parser.add_argument('--train-dir', default='work_dirs/quickstart',
                        help='work directory of the training run')
    parser.add_argument('--test-dir', default='work_dirs/quickstart/test',
                        help='work directory of the test run')
    parser.add_argument('--data', default='data/grounding_world')
    parser.add_argument('--out', default='work_dirs/quickstart')
    parser.add_argument('--no-pictures', action='store_true')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.grounding_world import SYNONYMS, held_out_pairs, seen_pairs
from glip_mm.text import Prompt


def read_metrics(folder: Path) -> dict[str, float]:
    """Read the metrics of the newest test run below a folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    files = sorted(folder.rglob('*.json'), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in files:
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
        except ValueError:
            continue  # vis_data logs are JSON lines
        if isinstance(content, dict) and all(key in content for key in METRICS.values()):
            return content
    raise FileNotFoundError(f"no file below '{folder}' holds the metrics of tools/test.py: run it "
                            f'with --work-dir {folder} first')


def summarise(metrics: dict[str, float], cost: dict[str, float]) -> dict[str, float]:
    """Build the content of summary.json; rates in percent."""
    summary = {key: round(100 * metrics[name], 2) for key, name in METRICS.items()}
    summary.update({key: cost[key] for key in COSTS})
    return summary


def table(summary: dict[str, float]) -> str:
    """Format the summary with the expected results."""
    lines = [f'{text:<32}{summary[key]:>10.1f}' for key, text in ROWS.items()]
    promises = [f"{'PASS' if promise.is_kept(summary) else 'FAIL'}  {promise.text}"
                for promise in PROMISES]
    rule = '-' * 68
    return '\n'.join([rule, *lines, rule, *promises, rule])


def choose_examples(root: Path) -> list[tuple[str, Prompt]]:
    """Choose eight test images with prompts: the first that qualify, whatever the detections.

    Four have prompts of all unseen pairs or of held-out words, four of the phrases of their
    captions.
    """
    unseen = json.loads((root / 'annotations/test_unseen.json').read_text(encoding='utf-8'))
    files = {image['id']: image['file_name'] for image in unseen['images']}
    counts: dict[int, int] = {}
    for annotation in unseen['annotations']:
        counts[annotation['image_id']] = counts.get(annotation['image_id'], 0) + 1
    rich = [files[i] for i in sorted(counts) if counts[i] >= 2]
    names = [pair.name for pair in held_out_pairs()]
    examples = [(name, Prompt.from_names(names)) for name in rich[:3]]
    synonyms = json.loads((root / 'annotations/test_synonyms.json').read_text(encoding='utf-8'))
    words = [pair.synonym for pair in seen_pairs() if pair.colour in SYNONYMS]
    ids = {c['id'] for c in synonyms['categories'] if c['name'] in words}
    renamed = sorted({a['image_id'] for a in synonyms['annotations'] if a['category_id'] in ids})
    examples += [(files[i], Prompt.from_names(words)) for i in renamed[:1]]
    lines = (root / 'annotations/test_phrases.jsonl').read_text(encoding='utf-8').splitlines()
    for row in map(json.loads, lines):
        regions = row['grounding']['regions']
        if len(regions) == 3 and len(examples) < 8:
            examples.append((row['filename'], Prompt.from_caption(
                row['grounding']['caption'], [r['tokens_positive'] for r in regions])))
    return examples


def draw(args: argparse.Namespace) -> Path:
    """Draw the examples, in one file each and on one sheet."""
    from glip_mm.apis import GLIPInferencer
    from glip_mm.visualization import make_sheet, save_image
    examples = choose_examples(Path(args.data))
    checkpoint = args.checkpoint or newest_checkpoint(args.train_dir)
    inferencer = GLIPInferencer(args.config, checkpoint)
    result = inferencer([str(Path(args.data) / 'images' / name) for name, _ in examples],
                        [prompt for _, prompt in examples], return_vis=True, pred_score_thr=0.4)
    out = Path(args.out)
    for index, picture in enumerate(result['visualization']):
        save_image(out / 'pictures' / f'{index}.png', picture)
    sheet = out / 'detections.png'
    save_image(sheet, make_sheet(result['visualization'], columns=4, cell_width=320))
    return sheet


def main() -> None:
    """Write summary.json and drawn images, and print the table."""
    args = parse_args()
    cost_file = Path(args.train_dir) / 'training_cost.json'
    try:
        metrics = read_metrics(Path(args.test_dir))
        cost = json.loads(cost_file.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        sys.exit(f'error: {error}')
    summary = summarise(metrics, cost)
    out = Path(args.out)
    write_atomically(out / 'summary.json', (json.dumps(summary, indent=2) + '\n').encode())
    if not args.no_pictures:
        print(f"pictures: {draw(args)}")
    print(table(summary))
    print(f"summary: {out / 'summary.json'}")


if __name__ == '__main__':
    main()
