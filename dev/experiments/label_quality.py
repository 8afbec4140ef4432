"""Share of a teacher's boxes that are wrong, where the truth is known."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from glip_mm.box_iou import box_iou


def read_rows(files: Sequence[Path]) -> Iterator[tuple[str, dict]]:
    """Yield the file name and the caption with its regions of each image."""
    for file in files:
        for line in file.read_text(encoding='utf-8').splitlines():
            row = json.loads(line)
            yield row['filename'], row['grounding']


def judge(regions: Sequence[Mapping], truth: Sequence[Mapping]) -> Iterator[tuple[str, bool]]:
    """Yield the true phrase, empty if there is none, of each box, and whether the box is right.

    A box is right if its IoU with a true box of the words that it stands for is at least 0.5.

    Args:
        regions: Labels of an image: ``bbox`` ``[n, 4]`` or ``[4]`` (x1 y1 x2 y2, pixels) and
            ``tokens_positive``, character spans in the caption.
        truth: The same of the annotation.
    """
    for region in regions:
        own = next((true for true in truth if _meet(region, true)), None)
        for box in np.atleast_2d(region['bbox']):
            yield ('', False) if own is None else (own['phrase'], bool(box_iou(
                box[None], np.atleast_2d(own['bbox']).astype(float)).max() >= .5))


def _meet(one: Mapping, other: Mapping) -> bool:
    return any(a < d and c < b for a, b in one['tokens_positive']
               for c, d in other['tokens_positive'])


def label_quality(labels: Path, truth: Path, names: Mapping[str, Sequence[str]]
                  ) -> dict[str, tuple[int, float]]:
    """Count boxes and the share of wrong ones by what their phrases name.

    Args:
        labels: Folder of ``*.jsonl`` files, see ``tools/pseudo_label.py``.
        truth: File of the same images with their true boxes.
        names: Part of the vocabulary -> its names. A phrase belongs to the part of the longest
            name that it holds, else to ``other words``; all are in ``all``.

    Returns:
        Part -> number of boxes and share of wrong ones, from 0 to 1.
    """
    true = {name: grounding['regions'] for name, grounding in read_rows([truth])}
    part_of = sorted(((f' {name} ', part) for part, own in names.items() for name in own),
                     key=lambda pair: -len(pair[0]))
    found: dict[str, list[bool]] = defaultdict(list)
    for file, grounding in read_rows(sorted(labels.glob('*.jsonl'))):
        for phrase, right in judge(grounding['regions'], true[file]):
            part = next((part for name, part in part_of if name in f' {phrase} '), 'other words')
            found[part].append(right)
            found['all'].append(right)
    return {part: (len(found[part]), 1 - float(np.mean(found[part])))
            for part in (*names, 'other words', 'all') if found[part]}


def quality_table(rows: Mapping[str, Mapping[str, tuple[int, float]]]) -> str:
    """Format the share of wrong boxes, in percent, of several labellings in Markdown."""
    parts = list(dict.fromkeys(part for row in rows.values() for part in row))
    lines = [f"| labels of | {' | '.join(parts)} |", '| --- |' + ' ---: |' * len(parts)]
    for name, row in rows.items():
        cells = [f'{100 * row[part][1]:.1f} of {row[part][0]}' if part in row else '–'
                 for part in parts]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return '\n'.join(lines)
