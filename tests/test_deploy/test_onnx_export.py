"""ONNX files in onnxruntime."""

import json

import numpy as np
import pytest

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

import glip_mm.deploy.exporting as exporting  # noqa: E402
import glip_mm.deploy.suppression as suppression  # noqa: E402
from glip_mm.deploy import ExportMismatch, Metadata, ONNXDetector, export  # noqa: E402
from glip_mm.deploy.checking import drawn_image, predict  # noqa: E402
from glip_mm.deploy.onnx_export import share_equal_initializers, to_onnx  # noqa: E402
from glip_mm.deploy.resizing import pad  # noqa: E402
from glip_mm.text import Prompt  # noqa: E402

from .conftest import NAMES  # noqa: E402

PROMPT = Prompt.from_names(NAMES)


@pytest.mark.parametrize('options', [
    dict(rgb=True, nms=True), dict(normalize=False)])
def test_one_size(build, tmp_path, options):
    model = build(levels=3, blocks=1)
    path = tmp_path / 'model.onnx'
    whole, padded = export(model, PROMPT, path, size=(100, 140), **options)
    for difference in (whole, padded):
        assert difference.count > 5 and difference.alone == 0, difference
    detector = ONNXDetector(path)
    assert detector.session.get_inputs()[0].shape == [1, 3, 100, 140]
    # a larger image is made to fit, a smaller one is padded
    for size in ((200, 140), (60, 50)):
        found = detector(drawn_image(size))
        assert len(found.boxes) and found.names == [NAMES[label] for label in found.labels]
        assert found.boxes.min() >= 0 and (found.boxes <= np.array(size[::-1] * 2) + 0.01).all()


@pytest.mark.parametrize('nms', [True, False])
def test_boxes_end_at_the_image_before_they_are_compared(build, tmp_path, monkeypatch, nms):
    model = build(levels=3, blocks=1, test_cfg=dict(iou_threshold=0.3))
    path = tmp_path / 'model.onnx'
    image = drawn_image((60, 80), seed=3)
    *_, difference = export(model, PROMPT, path, size=(160, 160), nms=nms, images=[image])
    assert difference.count > 5 and difference.alone == 0
    detector = ONNXDetector(path)
    assert [i.name for i in detector.session.get_inputs()] == ['image', 'shown'][:1 + nms]
    pixels, shown = pad(image, detector.metadata)
    boxes, scores, labels = predict(model, pixels, PROMPT, shown)
    found = detector(image)
    assert shown == (60, 80) and (boxes[:, 2:] == (80, 60)).any(axis=0).all()
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_allclose(found.boxes, boxes, atol=1e-2)
    # the comparison sees it
    monkeypatch.setattr(suppression, 'clip', lambda boxes, *size: boxes)
    monkeypatch.setattr(exporting, 'to_onnx', without_limits)
    with pytest.raises(ExportMismatch):
        export(model, PROMPT, path, size=(160, 160), nms=nms)


def without_limits(detector, metadata, example):
    content = to_onnx(detector, metadata, example)
    if not metadata.nms:
        return content
    file = onnx.load_from_string(content)
    limit, = (node for node in file.graph.node if node.op_type == 'Min'
              and node.name.startswith('suppress/'))
    limit.input[1] = limit.input[0]
    return file.SerializeToString()


def test_candidates_are_as_many_for_every_size(build, tmp_path):
    export(build(levels=3, blocks=1), PROMPT, tmp_path / 'm.onnx', size=(128, 160), dynamic=True,
           compare=False)
    detector = ONNXDetector(tmp_path / 'm.onnx')
    for size in ((32, 32), (160, 96)):
        image = np.zeros((1, 3, *size), np.float32)
        boxes, scores, labels = detector.session.run(None, {'image': image})
        assert boxes.shape == (1, 300, 4) and scores.shape == labels.shape == (1, 300)


def test_metadata(build, tmp_path):
    path = tmp_path / 'model.onnx'
    export(build(levels=3, blocks=1), PROMPT, path, size=(100, 140), rgb=True, compare=False,
           model_name='nano')
    strings = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    assert json.loads(strings['names']) == NAMES and strings['model'] == 'nano'
    assert strings['input'] == 'float32 [1, 3, height, width], rgb, raw, 0 to 255, 100x140'
    metadata = Metadata.from_strings(strings)
    assert metadata.captions == ['cat. dog. remote control. cup. bus']
    assert metadata.size == (100, 140) and not metadata.nms
    np.testing.assert_allclose(metadata.mean, [123.675, 116.28, 103.53])
    with pytest.raises(ValueError, match='export.py did not make it'):
        Metadata.from_strings({})
    strings['glip_mm'] = strings['glip_mm'].replace('"decoder"', '"dekoder"')
    with pytest.raises(ValueError, match=r"says \['dekoder'\], which this version"):
        Metadata.from_strings(strings)


def test_constants_are_stored_once(build, tmp_path):
    path = tmp_path / 'model.onnx'
    model = build()
    export(model, PROMPT, path, size=(128, 160), dynamic=True, compare=False)
    weights = sum(tensor.numel() * 4 for name, tensor in model.state_dict().items()
                  if not name.startswith('language_model'))
    graph = onnx.load(str(path)).graph
    stored = sum(len(tensor.raw_data) for tensor in graph.initializer)
    assert stored < weights * 1.2
    share_equal_initializers(graph)
    assert stored == sum(len(tensor.raw_data) for tensor in graph.initializer)


def test_a_different_result_is_not_written(build, tmp_path, monkeypatch):
    path = tmp_path / 'model.onnx'
    convert = exporting.to_onnx

    def spoiled(detector, metadata, example):
        for anchors in detector.head.anchor_generator.base_anchors:
            anchors += 0.1
        return convert(detector, metadata, example)

    monkeypatch.setattr(exporting, 'to_onnx', spoiled)
    with pytest.raises(ExportMismatch, match='differs from the original'):
        export(build(levels=3, blocks=1), PROMPT, path, size=(100, 140))
    assert not path.exists()


def test_finding_nothing_is_no_proof(build, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(exporting, 'warn', said.append)
    model = build(levels=3, blocks=1, test_cfg=dict(score_thr=0.9999))
    export(model, PROMPT, tmp_path / 'model.onnx', size=(100, 140))
    assert 'proves little' in said[0]


@pytest.mark.parametrize('options, message', [
    (dict(format='caffe'), "format='caffe' is unknown: choose one of onnx, torch-export, aot"),
    (dict(format='aot', nms=True), "format='onnx' alone, not 'aot'"),
    (dict(size=(0, 640)), 'too small')])
def test_wrong_options(build, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export(build(), PROMPT, tmp_path / 'model', **options)


@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_missing_package(build, tmp_path, monkeypatch, package):
    monkeypatch.setitem(__import__('sys').modules, package, None)
    with pytest.raises(ImportError, match=f"'{package}' .*pip install onnx onnxruntime"):
        export(build(), PROMPT, tmp_path / 'model.onnx', size=(100, 140))
    assert not (tmp_path / 'model.onnx').exists()
