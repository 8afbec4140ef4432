"""Thresholds found on annotated images."""

import json
import shutil

import numpy as np
import pytest

from glip_mm.apis import GLIPInferencer, Results, Thresholds
from glip_mm.apis.calibration import calibrate
from glip_mm.apis.result import GroundingResult


@pytest.fixture
def annotated(pictures, tmp_path) -> str:
    """Three pictures; a cat in each, and a dog in the first."""
    folder = shutil.copytree(pictures, tmp_path / 'val')
    rows = [(0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 0, 1)]
    (folder / '_annotations.coco.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.png', width=128, height=96) for i in range(3)],
        categories=[dict(id=k, name=n) for k, n in enumerate(['cat', 'dog', 'cow'])],
        annotations=[dict(id=i, image_id=image, category_id=k, bbox=[10, 10 + 40 * k, 30, 30],
                          area=900, iscrowd=0) for i, image, k in rows])))
    return str(folder)


class Found:
    """A detector with known results: right boxes and wrong ones of given scores."""

    right = [[(0, .9), (1, .35)], [(0, .8)], [(0, .3)]]
    wrong = [[(0, .5), (1, .6)], [(0, .2)], []]

    def __call__(self, inputs, names, batch_size):
        assert names == ['cat', 'dog', 'cow']
        results = []
        for path, right, wrong in zip(inputs, self.right, self.wrong):
            boxes = [[10, 10 + 40 * k, 40, 40 + 40 * k] for k, _ in right]
            boxes += [[80, 50, 100, 70] for _ in wrong]
            labels, scores = (np.array([each[i] for each in right + wrong]) for i in range(2))
            results.append(GroundingResult(
                np.array(boxes, np.float32), scores.astype(np.float32), labels.astype(int),
                [names[k] for k in labels.astype(int)], path=path, size=(128, 96)))
        return Results(results)


def test_best_f1_and_wanted_precision(annotated):
    found = calibrate(Found(), annotated)
    # cat at .3: 3 of 4 right, all found; at .8: 2 of 2 right, 2 of 3 found
    assert found.by_name == pytest.approx({'cat': .3, 'dog': .35})
    assert found.default == pytest.approx(.3)
    exact = calibrate(Found(), annotated, precision=1.)
    assert exact.by_name == pytest.approx({'cat': .8, 'dog': 1.})  # no score shows dogs alone
    assert calibrate(Found(), annotated, precision=.5).by_name == pytest.approx(
        {'cat': .2, 'dog': .35})
    for wrong in (0, 2, -1):
        with pytest.raises(ValueError, match='precision='):
            calibrate(Found(), annotated, precision=wrong)
    with pytest.raises(FileNotFoundError):
        calibrate(Found(), annotated + '/none')


def test_they_are_kept_beside_the_model_and_used(config, checkpoint, annotated, tmp_path,
                                                 pictures):
    weights = shutil.copy(checkpoint, tmp_path / 'own.pth')
    model = GLIPInferencer(config, weights, device='cpu', show_progress=False)
    assert model.thresholds == Thresholds()
    wide = json.loads((tmp_path / 'val/_annotations.coco.json').read_text())
    best = {}
    for image, result in enumerate(model(pictures, ['cat', 'dog', 'cow'])):
        best[image] = result.boxes[result.labels == 0][0].clip(0).tolist()
    for row in wide['annotations'][:3]:  # the cats are where the model finds them
        x1, y1, x2, y2 = best[row['image_id']]
        row.update(bbox=[x1, y1, x2 - x1, y2 - y1])
    (tmp_path / 'val/_annotations.coco.json').write_text(json.dumps(wide))
    found = model.calibrate(annotated)
    assert 0 < found.by_name['cat'] < 1
    again = GLIPInferencer(config, weights, device='cpu', show_progress=False)
    assert again.thresholds == found == Thresholds.read(tmp_path / 'own.thresholds.json')
    result = again(f'{pictures}/0.png', ['cat', 'bird'])[0]
    assert result.thresholds == found
    assert again(f'{pictures}/0.png', ['cat'], pred_score_thr=.1)[0].thresholds == Thresholds(.1)


@pytest.mark.parametrize('name', ['../x.png', '{}/x.png'])
def test_pictures_elsewhere_are_not_read(annotated, tmp_path, name):
    shutil.copy(f'{annotated}/1.png', tmp_path / 'x.png')
    path = tmp_path / 'val' / '_annotations.coco.json'
    content = json.loads(path.read_text())
    content['images'][1]['file_name'] = name.format(tmp_path)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match='_annotations.coco.json.*leads out of'):
        calibrate(Found(), annotated)


def test_a_threshold_of_another_name_is_said(inferencer, pictures, logged):
    inferencer(f'{pictures}/0.png', ['box', 'red circle'], pred_score_thr={'bix': 1., 'red': 1.})
    assert logged == ["there is a threshold of 'bix', which is not looked for; did you mean 'box'?",
                      "there is a threshold of 'red', which is not looked for"]
