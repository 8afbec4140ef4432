"""A model that finds something, and pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from glip_mm.apis import GLIPInferencer
from glip_mm.web import Finder, Limits
from tests.test_finetuning.conftest import tiny  # noqa: F401


@pytest.fixture(scope='session')
def inferencer(tiny):  # noqa: F811
    return GLIPInferencer(*tiny, device='cpu', show_progress=False)


@pytest.fixture
def finder(inferencer, tmp_path):
    return Finder(inferencer, tmp_path / 'files', Limits(1 << 20, 160 * 120, 100))


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'my photo.jpg')
    return str(tmp_path / 'my photo.jpg')


def encoded(width, height):
    buffer = io.BytesIO()
    Image.new('RGB', (width, height)).save(buffer, format='PNG')
    return buffer.getvalue()
