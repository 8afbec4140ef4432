"""An exported model finds in files what the model itself finds."""

import numpy as np
import pytest

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from glip_mm.apis import ONNXInferencer, export_model  # noqa: E402

NAMES = ['cat', 'remote_control', 'dog']


@pytest.fixture(scope='module')
def exported(config, checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp('exported') / 'model.onnx'
    export_model(config, checkpoint, NAMES, path, nms=True, dynamic=True, compare=False)
    return ONNXInferencer(path)


def test_same_results(inferencer, exported, pictures):
    wanted = inferencer(pictures, NAMES)['predictions']
    got = exported(pictures)['predictions']
    assert len(got) == len(wanted) == 3
    for ours, theirs in zip(got, wanted):
        assert len(ours) == len(theirs) == 20
        assert ours.names == theirs.names and ours.labels.tolist() == theirs.labels.tolist()
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-2)
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
        assert (ours.path, ours.size) == (theirs.path, theirs.size)


def test_one_size_that_the_resized_images_fit_into(config, checkpoint, inferencer, pictures,
                                                   tmp_path):
    path = tmp_path / 'model.onnx'
    # the pipeline makes them 128 x 96: what is padded only here is all that differs
    export_model(config, checkpoint, NAMES, path, nms=True, size=(96, 128), images=pictures)
    for ours, theirs in zip(ONNXInferencer(path)(pictures)['predictions'],
                            inferencer(pictures, NAMES)['predictions']):
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-2)


def test_arrays_and_missing_files(exported):
    array = np.zeros((30, 40, 3), np.uint8)
    assert exported(array)['predictions'][0].size == (40, 30)
    with pytest.raises(FileNotFoundError, match='nowhere.jpg'):
        exported('nowhere.jpg')


def test_a_resizing_by_chance_is_refused(config, checkpoint, tmp_path):
    import copy
    random = copy.deepcopy(config)
    random.test_dataloader.dataset.pipeline.insert(
        1, dict(type='mmdet.RandomResize', scale=(64, 64)))
    with pytest.raises(ValueError, match='RandomResize.*can not be repeated'):
        export_model(random, checkpoint, NAMES, tmp_path / 'model.onnx')


def test_the_file_says_how_images_are_decoded(config, checkpoint, monkeypatch):
    import copy
    ignoring = copy.deepcopy(config)
    ignoring.test_dataloader.dataset.pipeline[0].color_type = 'color_ignore_orientation'
    monkeypatch.setattr('glip_mm.apis.export.export', lambda *args, **given: given)
    given = export_model(ignoring, checkpoint, NAMES, 'x.onnx')
    assert (given['decoder'], given['color_type']) == ('pillow', 'color_ignore_orientation')
