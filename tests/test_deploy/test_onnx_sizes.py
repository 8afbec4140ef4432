"""ONNX files that take images of any size, in onnxruntime."""

import pytest

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from glip_mm.deploy import ONNXDetector, export  # noqa: E402
from glip_mm.deploy.checking import compare, drawn_image, predict  # noqa: E402
from glip_mm.text import Prompt  # noqa: E402

from .conftest import NAMES  # noqa: E402

PROMPT = Prompt.from_names(NAMES)


@pytest.mark.parametrize('fuse, swin, nms, chunked_size', [
    (False, False, True, -1), (False, False, False, 2),
    (True, True, False, -1), (True, False, True, 2)])
def test_any_size(build, tmp_path, fuse, swin, nms, chunked_size):
    model = build(fuse=fuse, swin=swin, test_cfg=dict(chunked_size=chunked_size))
    path = tmp_path / 'model.onnx'
    # on three sizes
    differences = export(model, PROMPT, path, size=(128, 160), dynamic=True, nms=nms)
    assert len(differences) == 3
    assert all(d.count > 5 and d.alone == 0 for d in differences), differences
    detector = ONNXDetector(path)
    for size in ((97, 131), (224, 96)):  # no multiples of 32, and a wide and a tall image
        pixels = drawn_image(size, seed=2)
        difference = compare(predict(model, pixels, PROMPT), detector(pixels)[:3])
        assert difference.count > 5 and difference.alone == 0, difference
