"""Images that choose the checkpoint of a few-shot run: a few, as published, or the val split."""

from dataclasses import replace
from pathlib import Path

from mmengine.logging import print_log

from glip_mm.datasets.coco_file import categories_of, read_coco

from .data import write_coco
from .few_shot import greedy_shots, subset
from .odinw import prepared_file
from .splits import Split, Splits, check_splits

#: Values of ``--val``.
KINDS = ('few', 'full')


def with_val_shots(splits: Splits, kind: str | None, shots: int | None, seed: int, out: Path,
                   published: bool) -> tuple[Splits, str]:
    """Replace the val split of a few-shot run by a few-shot subset, if that is wanted.

    Published few-shot runs on ODinW choose the checkpoint on prepared subsets of val, of as many
    shots and the same seed as those of the training.

    Args:
        splits: Splits of the data set.
        kind: ``'few'``: the prepared subset, or one by the rule of :func:`.few_shot.greedy_shots`;
            ``'full'``: all of the split; None: the prepared subset where there is one.
        shots: Number of images per class of the training; None or 0 for no few-shot run.
        seed: Random seed of the subset.
        out: Folder for the subset's annotation file.
        published: Whether prepared subsets are looked for: the data set is one of ODinW.

    Returns:
        The splits, and which of :data:`KINDS` was taken.

    Raises:
        ValueError: If there is no subset with so few images of each class.
    """
    if not shots:
        return splits, 'full'
    path = prepared_file(splits.val, shots, seed, ('val', 'minival')) if published else None
    kind = kind or ('few' if path else 'full')
    whole = read_coco(str(splits.val.ann_file))
    if kind == 'full':
        print_log(f'seed {seed}: the checkpoint is chosen on all {len(whole["images"])} images of '
                  'the val split (--val few: on as few as are trained)', 'current')
        return splits, kind
    if path is None:
        try:
            chosen = subset(whole, greedy_shots(whole, shots, seed))
        except ValueError as error:
            raise ValueError(f"--val few of '{splits.val.ann_file}': {error}; or choose on all of "
                             'it with --val full') from error
        path = write_coco(out / f'val_{shots}shot_seed{seed}.json', chosen)
    content = read_coco(str(path))
    categories_of(content, str(path), splits.classes)
    print_log(f"seed {seed}: the checkpoint is chosen on {len(content['images'])} of "
              f"{len(whole['images'])} images of the val split, '{path}' (--val full: on all)",
              'current')
    changed = replace(splits, val=Split(path, splits.val.images))
    return replace(changed, doubts=tuple(dict.fromkeys(
        (*splits.doubts, *check_splits(changed))))), kind
