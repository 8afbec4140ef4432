"""Predictions in the submission format of the ODinW leaderboard."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.json_container import iterate_container
from glip_mm.evaluation.predictions import PredictionStore


def leaderboard_rows(store: PredictionStore, model_name: str) -> list[dict[str, Any]]:
    """Build one row per data set, with detections as in COCO result files.

    Boxes are ``[x1, y1, width, height]``. Category ids are those of the set's annotation file.

    Args:
        store: Complete predictions of an ODinW test.
        model_name: Name shown on the leaderboard.

    Raises:
        ValueError: If images are missing, or a set has no annotation file.
    """
    missing = store.meta['num_images'] - len(store)
    if missing:
        raise ValueError(f"'{store.folder}' lacks {missing} images: run the test again first")
    rows, start = [], 0
    for dataset in store.meta['datasets']:
        ids = _category_ids(dataset)
        detections = []
        for index in range(start, start + dataset['num_images']):
            found = store[index]
            sizes = found.bboxes[:, 2:] - found.bboxes[:, :2]
            for box, size, score, label in zip(found.bboxes.tolist(), sizes.tolist(),
                                               found.scores.tolist(), found.labels.tolist()):
                detections.append(dict(
                    image_id=found.img_id, category_id=ids[label],
                    bbox=[round(x, 3) for x in (*box[:2], *size)], score=round(score, 6)))
        rows.append(dict(model_name=model_name, dataset_name=dataset['name'],
                         num_trainable_params=0, n_shot=0, rnd_seeds=[0],
                         predictions=[detections]))
        start += dataset['num_images']
    return rows


def leaderboard_runs(stores: Sequence[PredictionStore], seeds: Sequence[int], shots: int | None,
                     trained: int, model_name: str) -> list[dict[str, Any]]:
    """Build the rows of fine-tuned models: one per data set, with the predictions of all seeds.

    Args:
        stores: Predictions of each seed, all of the same data sets.
        seeds: Random seeds of the runs.
        shots: Training images per class; None for all, which the leaderboard calls -1.
        trained: Number of trained parameters.
        model_name: Name shown on the leaderboard.

    Raises:
        ValueError: As in :func:`leaderboard_rows`, or if stores and seeds differ in number.
    """
    if len(stores) != len(seeds) or not stores:
        raise ValueError(f'{len(stores)} results were given for the seeds {list(seeds)}')
    runs = [leaderboard_rows(store, model_name) for store in stores]
    return [dict(same[0], num_trainable_params=trained, n_shot=-1 if shots is None else shots,
                 rnd_seeds=list(seeds), predictions=[row['predictions'][0] for row in same])
            for same in zip(*runs)]


def write_leaderboard(store: PredictionStore, path: str | Path, model_name: str) -> Path:
    """Write ``{"data": [a row for each data set]}``, the layout of ELEVATER's submissions.

    Returns:
        Path of the file.
    """
    content = dict(data=leaderboard_rows(store, model_name))
    return write_atomically(path, json.dumps(content).encode())


def _category_ids(dataset: dict[str, Any]) -> list[int]:
    path = Path(dataset['ann_file'])
    if path.suffix != '.json' or not path.is_file():
        raise ValueError(f"data set '{dataset['name']}' has no annotation file here ('{path}'): "
                         'its category ids are not known')
    rows = iterate_container(path, ('categories', ), progress=False)
    by_name = {c['name']: c['id'] for _, c in rows}
    if all(c in by_name for c in dataset['classes']):
        return [by_name[c] for c in dataset['classes']]
    # classes under other names keep the order of the category ids
    ids = sorted(by_name.values())
    return ids[len(ids) - len(dataset['classes']):]
