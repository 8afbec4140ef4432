"""The ``lvis`` package as a function, and detections to give to it."""

import logging
from copy import deepcopy

import numpy as np

from glip_mm.compat import import_lvis


def reference_ap(content, results, max_dets):
    """Everything that the package finds; ``max_dets`` a picture, -1 for no cap."""
    import_lvis()
    from lvis import LVIS, LVISEval, LVISResults
    quiet = logging.getLogger('lvis')
    quiet.setLevel(logging.ERROR)
    truth = LVIS.__new__(LVIS)
    truth.logger, truth.dataset = quiet, deepcopy(content)
    truth._create_index()
    evaluation = LVISEval(truth, LVISResults(truth, deepcopy(results), max_dets=max_dets), 'bbox')
    evaluation.params.max_dets = max_dets
    evaluation.run()
    metrics = {name.split('@')[0]: value for name, value in evaluation.get_results().items()}
    return metrics, evaluation.eval['precision'], evaluation.eval['recall']


def fixed_cap(results, most):
    """The best ``most`` of each category by plain sorting."""
    kept = []
    for category in sorted({entry['category_id'] for entry in results}):
        mine = [entry for entry in results if entry['category_id'] == category]
        mine.sort(key=lambda entry: (-entry['score'], entry['image_id']))
        kept += mine[:most]
    return kept


def random_results(content, seed, ties=False, density=1.0, others=3):
    """Detections around boxes, of absent, unknown and of not exhaustive categories.

    Every fifth image stays empty; some boxes are exact, some have no area.
    """
    rng = np.random.default_rng(seed)
    category_ids = [category['id'] for category in content['categories']]
    images = {image['id']: image for image in content['images']}
    silent = {image['id'] for image in content['images'][::5]}
    results = []

    def add(image, category, box):
        score = float(rng.random())
        results.append(dict(image_id=image, category_id=category, bbox=[float(v) for v in box],
                            score=round(score, 1) if ties else score))

    for annotation in content['annotations']:
        if annotation['image_id'] in silent:
            continue
        for _ in range(rng.poisson(2 * density)):
            box = np.array(annotation['bbox'])
            if rng.random() < .8:
                box = box + rng.normal(0, .1, 4) * np.tile(box[2:], 2)
            add(annotation['image_id'], annotation['category_id'], box)
    for image in images.values():
        if image['id'] in silent:
            continue
        absent = list(image['neg_category_ids']) + list(image['not_exhaustive_category_ids'])
        absent = [category for category in absent if category in category_ids]
        for category in absent + list(rng.choice(category_ids, others)):
            box = rng.random(4) * 300
            if rng.random() < .1:
                box[2:] = 0
            add(image['id'], int(category), box)
    order = rng.permutation(len(results))
    return [results[i] for i in order]


def random_truth(seed, images=40, categories=12):
    """A small LVIS-like file with crowded images, ignored boxes and boxes without area."""
    rng = np.random.default_rng(seed)
    ids = sorted(int(v) for v in rng.choice(1000, categories, replace=False))
    content = dict(images=[], annotations=[], categories=[
        dict(id=category, name=f'thing {category}', frequency='rcf'[int(rng.integers(3))])
        for category in ids])
    for image in rng.permutation(images) * 7:
        present = [int(v) for v in rng.choice(ids, rng.integers(0, 4), replace=False)]
        rest = [category for category in ids if category not in present]
        content['images'].append(dict(
            id=int(image), file_name=f'{image}.jpg', width=640, height=480,
            neg_category_ids=[int(v) for v in rng.choice(rest, 2, replace=False)],
            not_exhaustive_category_ids=present[:1] if rng.random() < .3 else []))
        for category in present:
            for _ in range(int(rng.geometric(.3))):
                x, y, w, h = rng.random(4) * [400, 300, 240, 180]
                # rounding makes boxes that coincide and IoUs that tie
                box = [float(round(v / 20) * 20) for v in (x, y, w, h)]
                content['annotations'].append(dict(
                    id=len(content['annotations']) + 1, image_id=int(image),
                    category_id=category, bbox=box, area=box[2] * box[3] * .8,
                    ignore=int(rng.random() < .05)))
    return content
