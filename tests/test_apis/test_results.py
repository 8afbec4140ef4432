"""What a call returns: iteration, pictures, and the forms of other libraries."""

import io
import json
import sys

import mmcv
import numpy as np
import PIL.Image
import pytest

from glip_mm.apis import GroundingResult, Results, Thresholds
from glip_mm.apis.window import show_picture
from glip_mm.text import Prompt

NAMES = ['red circle', 'blue star', 'box']


@pytest.fixture(scope='module')
def results(inferencer, pictures) -> Results:
    return inferencer(pictures, NAMES, pred_score_thr=0.65)


def test_a_sequence_with_the_keys_of_mmdetection(results, pictures):
    assert len(results) == 3 and [r.path for r in results] == [
        f'{pictures}/{i}.png' for i in range(3)]
    assert results[-1] is results['predictions'][2] and results[:2] == results.predictions[:2]
    assert results['errors'] == results['visualization'] == []
    with pytest.raises(KeyError, match="'boxes' is none of 'predictions'"):
        results['boxes']


def test_pictures_and_cuts(results, pictures):
    result = results[0]
    image = mmcv.imread(f'{pictures}/0.png')[..., ::-1]
    np.testing.assert_array_equal(result.image, image)
    shown = result.shown
    assert 0 < len(shown) < len(result) and shown.scores.min() >= 0.65 > result.scores.min()
    plain = result.plot(caption=False, min_width=1)
    assert plain.shape == image.shape and (plain != image).any()
    picture = np.asarray(PIL.Image.open(io.BytesIO(result._repr_png_())))
    np.testing.assert_array_equal(picture, result.plot())
    crops = result.crop()
    assert len(crops) == len(shown)
    x1, y1, x2, y2 = shown.boxes[0].clip(0)
    np.testing.assert_array_equal(
        crops[0], image[int(y1):int(np.ceil(y2)), int(x1):int(np.ceil(x2))])


def test_arrays_need_no_file(inferencer):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[..., 0] = 200
    blue = inferencer(pixels, NAMES)[0]
    assert blue.image[0, 0].tolist() == [0, 0, 200]
    assert inferencer(pixels, NAMES, channel_order='rgb')[0].image[0, 0].tolist() == [200, 0, 0]
    alone = GroundingResult(blue.boxes, blue.scores, blue.labels, blue.names)
    assert alone._repr_png_() is None
    with pytest.raises(ValueError, match='knows no image'):
        alone.plot()


def test_without_a_display(results, inferencer, pictures, monkeypatch):
    monkeypatch.setattr('matplotlib.pyplot.get_backend', lambda: 'agg')
    for show in (results[0].show, lambda: inferencer(pictures, NAMES, show=True),
                 lambda: show_picture(np.zeros((2, 2, 3), np.uint8))):
        with pytest.raises(ValueError, match='show needs a display'):
            show()


def test_coco_of_a_run(results, tmp_path):
    content = json.loads(results.save_coco(tmp_path / 'found.json').read_text())
    assert [row['file_name'] for row in content['images']] == [r.path for r in results]
    assert content['categories'] == [dict(id=i, name=n) for i, n in enumerate(NAMES, 1)]
    rows = [row for row in content['annotations'] if row['image_id'] == 2]
    shown = results[1].shown
    assert [NAMES[row['category_id'] - 1] for row in rows] == shown.names
    x1, y1, x2, y2 = shown.boxes[0]
    np.testing.assert_allclose(rows[0]['bbox'], [x1, y1, x2 - x1, y2 - y1], atol=1e-4)
    assert rows[0]['area'] == pytest.approx((x2 - x1) * (y2 - y1), rel=1e-4)
    from glip_mm.datasets.coco_file import read_coco
    read = read_coco(tmp_path / 'found.json')
    assert len(read['annotations']) == len(content['annotations']) > 3


def test_saved_in_one_call(results, tmp_path):
    results.save(tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*.*')) == [
        'coco.json', 'preds/0.json', 'preds/1.json', 'preds/2.json', 'vis/0.png', 'vis/1.png',
        'vis/2.png']


def result_of(scores, labels, thresholds):
    prompt = Prompt.from_names(['cup', 'plate'])
    return GroundingResult(
        np.tile(np.array([[0, 0, 9, 9]], np.float32), (len(scores), 1)),
        np.array(scores, np.float32), np.array(labels), [prompt.names[i] for i in labels], prompt,
        size=(20, 10), thresholds=thresholds)


def test_summary():
    by_name = Thresholds.of({'cup': 0.8})
    some = result_of([0.7, 0.9, 0.31], [0, 0, 1], by_name)
    assert some.shown.names == ['cup', 'plate'] and some.shown.scores[0] == np.float32(0.9)
    assert Results([some, None, some]).summary() == 'cup 2, plate 2 in 2 of 3 images'
    low = result_of([0.7, 0.1], [0, 1], by_name)
    assert Results([low]).summary() == (
        'nothing in 1 image reached its threshold (0.8); the best score was 0.7 (cup)')
    assert Results([result_of([], [], by_name)]).summary() == 'nothing found in 1 image'


@pytest.mark.parametrize('package', ['supervision', 'pandas'])
def test_what_is_missing_is_named(results, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f'needs {package}: pip install {package}'):
        getattr(results[0], f'to_{package}')()


def test_supervision(results):
    pytest.importorskip('supervision')
    found = results[0].to_supervision()
    np.testing.assert_array_equal(found.xyxy, results[0].boxes)
    assert found.data['class_name'].tolist() == results[0].names
    assert found.class_id.tolist() == results[0].labels.tolist()


def test_pandas(results):
    pytest.importorskip('pandas')
    frame = results.to_pandas()
    assert len(frame) == sum(map(len, results))
    assert frame.columns.tolist() == ['image', 'path', 'name', 'label', 'score', 'x1', 'y1', 'x2',
                                      'y2']
    assert frame[frame['image'] == 1]['name'].tolist() == results[1].names
    assert len(Results([None]).to_pandas()) == 0
