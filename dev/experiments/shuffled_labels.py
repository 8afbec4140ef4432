"""Shuffled labels as a baseline: every image has the phrases of another caption."""

import json
from pathlib import Path

import numpy as np

from glip_mm.visualization import write_atomically


def shuffle_labels(labels: Path, target: Path, seed: int = 0) -> None:
    """Write labels in which every image has the caption of another.

    Images exchange captions with one that has as many labelled phrases, so the numbers of boxes,
    phrases and words do not change. Boxes, scores and images stay together.

    Args:
        labels: Folder of ``*.jsonl`` files, see ``tools/pseudo_label.py``.
        target: Folder for the same files, shuffled.
        seed: Random seed of the shuffle.
    """
    target.mkdir(parents=True, exist_ok=True)
    files = sorted(labels.glob('*.jsonl'))
    rows = [[json.loads(line) for line in file.read_text(encoding='utf-8').splitlines()]
            for file in files]
    flat = [row['grounding'] for part in rows for row in part]
    giver = list(range(len(flat)))
    rng = np.random.default_rng(seed)
    for count in sorted({len(g['regions']) for g in flat}):
        members = [i for i, g in enumerate(flat) if len(g['regions']) == count]
        rng.shuffle(members)
        for taker, other in zip(members, members[1:] + members[:1]):
            giver[taker] = other
    new = iter([_mixed(grounding, flat[other]) for grounding, other in zip(flat, giver)])
    for file, part in zip(files, rows):
        text = ''.join(json.dumps(dict(row, grounding=next(new))) + '\n' for row in part)
        write_atomically(target / file.name, text.encode())


def _mixed(own: dict, other: dict) -> dict:
    """Combine the boxes of one caption with the words of another."""
    return dict(caption=other['caption'], without_box=other['without_box'], regions=[
        dict(words, bbox=boxes['bbox'], score=boxes['score'])
        for words, boxes in zip(other['regions'], own['regions'])])
