"""Data sets of ODinW, as described in ``configs/_base_/datasets/odinw.json``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from glip_mm.datasets.data_error import read_json

from .splits import Split, Splits, check_splits


def odinw_rows(path: str | Path, subset: str | None = None) -> list[dict[str, Any]]:
    """Read the descriptions of data sets.

    Args:
        path: JSON file ``{"odinw": [{name, root, classes, splits, evaluated, ...}]}``.
        subset: Name of a subset, ``'13'`` or ``'35'``; default: all.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of this form.
    """
    try:
        rows = read_json(path)['odinw']
    except FileNotFoundError:
        raise FileNotFoundError(f"list of data sets '{path}' is missing: check --sets") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"list of data sets '{path}' must be JSON "
                         f'{{"odinw": [{{"name": ...}}]}} ({error!r})') from error
    rows = [dict(r, classes=r.get('classes_13', r['classes'])) if subset == '13' else r
            for r in rows]
    return [r for r in rows if subset is None or r.get(f'in_{subset}')]


def odinw_splits(name: str, rows: list[dict[str, Any]], root: str | Path = 'data/odinw',
                 test: str = 'evaluated') -> Splits:
    """Return the splits of a data set.

    Args:
        name: Name of the data set in ``rows``.
        rows: Descriptions from :func:`odinw_rows`.
        root: Folder of all data sets.
        test: Split to test: ``'evaluated'`` is the split of published zero-shot results
            (val, or minival if there is one), or ``'test'``.

    Raises:
        ValueError: If there is no such data set.
        FileNotFoundError: If one of its files is missing.
    """
    row = next((r for r in rows if r['name'].lower() == name.lower()), None)
    if row is None:
        raise ValueError(f"--data 'odinw:{name}' is none of {[r['name'] for r in rows]}")
    folder = Path(root) / row['root']

    def split(which: str) -> Split:
        ann_file, images = row['splits'][which]
        if not (folder / ann_file).is_file():
            raise FileNotFoundError(f"'{folder / ann_file}' of odinw:{row['name']} is missing: "
                                    'docs/evaluation.md says where the sets go; --odinw-root '
                                    'names another folder')
        return Split(folder / ann_file, folder / images)
    evaluated = row['evaluated']
    splits = Splits(row['name'], tuple(row['classes']), split('train'), split(evaluated),
                    split('test' if test == 'test' else evaluated),
                    {c: p for c, p in zip(row['classes'], row.get('prompt') or ()) if p})
    return replace(splits, doubts=check_splits(splits))


def prepared_file(split: Split, shots: int, seed: int,
                  names: Sequence[str] = ('train', )) -> Path | None:
    """Find the leaderboard's few-shot file of a split; None if there is none.

    Args:
        split: Split that the file is a subset of.
        shots: Number of images per class.
        seed: Random seed of the subset.
        names: Names that the split may have, such as ``'train'``, or ``'val'`` and ``'minival'``.
    """
    # in flat sets the split's file has another name, but the few-shot file lies beside it, too
    paths = [split.ann_file.parent / f'fewshot_{name}_shot{shots}_seed{seed}.json'
             for name in names]
    return next(filter(Path.is_file, paths), None)
