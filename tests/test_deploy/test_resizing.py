import numpy as np
import pytest
from mmdet.datasets.transforms import Resize

from glip_mm.deploy import Metadata, resize_steps
from glip_mm.deploy.checking import drawn_image, to_input
from glip_mm.deploy.resizing import fit

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='ShortSideResize', scale=(80, 133)),
            dict(type='mmdet.PackDetInputs')]


def metadata(**given):
    return Metadata(['cat'], ['cat'], resize=resize_steps(PIPELINE), mean=[10, 20, 30],
                    std=[1, 2, 4], **given)


@pytest.mark.parametrize('size, wanted', [
    ((120, 160), (80, 106)), ((160, 120), (106, 80)), ((40, 300), (18, 135))])
def test_any_size_is_the_pipelines(size, wanted):
    image, shown = fit(drawn_image(size), metadata())
    assert image.shape[:2] == shown == wanted


@pytest.mark.parametrize('size, wanted', [
    ((120, 160), (80, 106)),  # fits in after the pipeline
    ((160, 120), (96, 72)),  # does not
])
def test_one_size(size, wanted):
    image, shown = fit(drawn_image(size), metadata(size=(96, 128)))
    assert image.shape == (96, 128, 3) and shown == wanted
    assert image[:shown[0], :shown[1]].std() > 1


@pytest.mark.parametrize('channels', ['bgr', 'rgb'])
def test_padding_is_0_after_normalisation(channels):
    given = metadata(size=(96, 128), channels=channels)
    image = to_input(fit(drawn_image((120, 160)), given)[0], given)[0]
    padding = (
        (image - np.reshape(given.mean, (3, 1, 1))) / np.reshape(given.std, (3, 1, 1)))[:, 80:]
    assert padding.shape[1] == 16 and (padding == 0).all()


def test_steps_survive_a_file():
    steps = metadata().resize
    assert steps == [dict(type='ShortSideResize', scale=[80, 133])]
    assert Metadata.from_strings(metadata().to_strings()) == metadata()


@pytest.mark.parametrize('kind', ['RandomResize', Resize])
def test_steps_that_can_not_be_repeated(kind):
    with pytest.raises(ValueError, match='can not be repeated'):
        resize_steps([dict(type=kind, scale=(8, 8))])
