"""Average precisions are those of pycocotools and of the lvis package; matches explain them."""

import contextlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from glip_mm.compat import import_lvis
from glip_mm.evaluation.analysis.ground_truth import read_ground_truth
from glip_mm.evaluation.analysis.matching import FALSE, NOT_JUDGED, TRUE, match_dataset
from glip_mm.evaluation.analysis.results import read_result

from . import generated


def _read(tmp_path, part, **options):
    result = read_result(generated.make_run(tmp_path / 'run', [part], **options)).datasets[0]
    return result, read_ground_truth(result)


def _submission(result):
    return [dict(image_id=result.images[i].img_id, category_id=int(label) + 1, score=float(score),
                 bbox=[*map(float, box[:2]), *map(float, box[2:] - box[:2])])
            for i, label, score, box in zip(result.image, result.labels, result.scores,
                                            result.boxes)]


@pytest.mark.parametrize('seed', [0, 1])
def test_coco_numbers(tmp_path, seed):
    result, truth = _read(tmp_path, generated.make_coco(tmp_path, seed=seed), seed=seed)
    matches = match_dataset(result, truth, progress=False)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(result.ann_file))
        reference = COCOeval(coco, coco.loadRes(_submission(result)), 'bbox')
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    ours = [matches.mean_ap(), matches.mean_ap(0.5), matches.mean_ap(0.75),
            matches.mean_ap(size='small'), matches.mean_ap(size='medium')]
    assert ours == pytest.approx(reference.stats[:5], abs=1e-6)
    assert 0.05 < ours[0] < 0.95
    assert np.isnan(matches.mean_ap(size='large'))  # no box is so large
    assert np.isnan(matches.ap[6, 0])  # the unicorn


@pytest.mark.parametrize('seed', [0, 1])
def test_lvis_numbers(tmp_path, seed):
    lvis = import_lvis()
    result, truth = _read(tmp_path, generated.make_lvis(tmp_path, seed=seed), seed=seed)
    matches = match_dataset(result, truth, progress=False)
    # the package insists on keys that it does not use
    content = json.loads(result.ann_file.read_text())
    for category, letter in zip(content['categories'], truth.frequency):
        category.update(image_count=1, frequency=letter)
    result.ann_file.write_text(json.dumps(content))
    ground = lvis.LVIS(str(result.ann_file))
    results = lvis.LVISResults(ground, _submission(result), max_dets=-1)
    reference = lvis.LVISEval(ground, results, 'bbox')
    reference.params.max_dets = 10000
    reference.run()
    rare = [label for label, letter in enumerate(truth.frequency) if letter == 'r']
    ours = dict(AP=matches.mean_ap(), AP50=matches.mean_ap(0.5), AP75=matches.mean_ap(0.75),
                APs=matches.mean_ap(size='small'), APm=matches.mean_ap(size='medium'),
                APr=matches.mean_ap(classes=rare))
    assert ours == pytest.approx({key: reference.results[key] for key in ours}, abs=1e-6)
    # federated rules matter here: without them the number is another
    plain = match_dataset(result, replace(truth, listed=None, partial=None), progress=False)
    assert abs(plain.mean_ap() - ours['AP']) > 1e-3


def test_every_detection_is_explained(tmp_path):
    result, truth = _read(tmp_path, generated.make_coco(tmp_path))
    matches = match_dataset(result, truth, progress=False)
    true = np.flatnonzero(matches.status == TRUE)
    assert len(true) > 10 and (matches.status == FALSE).sum() > 10
    assert (truth.labels[matches.match[true]] == result.labels[true]).all()
    assert (truth.image[matches.match[true]] == result.image[true]).all()
    assert len(np.unique(matches.match[true])) == len(true)
    assert np.array_equal(matches.found[matches.match[true]], result.scores[true])
    assert (matches.match[matches.status != TRUE] == -1).all()
    assert (matches.status[result.labels == 6] == NOT_JUDGED).all()
    assert not matches.counted[0] and matches.counted[1:].all()  # the crowd


def test_phrases_are_questions_of_their_own(tmp_path):
    result, truth = _read(tmp_path, generated.make_phrases(tmp_path), quality=1.)
    matches = match_dataset(result, truth, progress=False)
    assert truth.phrases and matches.ap.shape == (1, 4)
    true = matches.status == TRUE
    assert true.sum() > 10 and matches.mean_ap(0.5) > 0.8
    assert (truth.labels[matches.match[true]] == result.labels[true]).all()
    # a box of one phrase is nothing to another
    moved = result.labels.copy()
    moved[:] = 99
    assert match_dataset(replace(result, labels=moved), truth, progress=False).mean_ap() == 0
