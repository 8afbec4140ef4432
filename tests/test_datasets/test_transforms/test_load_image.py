"""Images of all kinds are loaded as what they show."""

import os

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.compat import load_turbojpeg
from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.transforms.load_image import LoadImage
from glip_mm.registry import TRANSFORMS

COLOUR = (200, 120, 40)


def load(path, **options):
    return LoadImage(**options).transform(dict(img_path=str(path)))['img']


def colourful():
    pixels = np.zeros((20, 32, 3), np.uint8)
    pixels[:, :8] = COLOUR
    return Image.fromarray(pixels)


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'P'])
def test_colours_are_kept(mode, backend, tmp_path):
    image = colourful()
    (image.quantize(4) if mode == 'P' else image.convert(mode)).save(tmp_path / 'a.png')
    image = load(tmp_path / 'a.png', imdecode_backend=backend)
    assert image.shape == (20, 32, 3) and image.dtype == np.uint8
    assert image[0, 0].tolist() == list(COLOUR[::-1]) and not image[:, 8:].any()


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
@pytest.mark.parametrize('dtype, value', [(np.uint8, 100), (np.uint16, 100 * 256 + 7)])
def test_grey_of_8_and_16_bits(dtype, value, backend, tmp_path):
    Image.fromarray(np.full((20, 32), value, dtype)).save(tmp_path / 'a.png')
    image = load(tmp_path / 'a.png', imdecode_backend=backend)
    assert image.shape == (20, 32, 3) and np.abs(image.astype(int) - 100).max() <= 1


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_exif_orientation(backend, tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    upright = colourful()
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / 'a.png', exif=exif)
    image = load(tmp_path / 'a.png', imdecode_backend=backend)
    assert image.shape == (20, 32, 3)
    assert image[10, 2].tolist() == list(COLOUR[::-1]) and not image[10, 20].any()
    stored = load(tmp_path / 'a.png', imdecode_backend=backend,
                  color_type='color_ignore_orientation')
    assert stored.shape == (32, 20, 3)


def test_from_bytes_as_from_a_file(tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(np.full((20, 32), 25600, np.uint16)).save(path)
    results = LoadImage().transform(dict(img_bytes_ref=path.read_bytes))
    assert np.array_equal(results['img'], load(path)) and results['img_shape'] == (20, 32)


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_what_is_no_image_is_named(backend, tmp_path):
    with pytest.raises(BadSample, match='missing image.*check data_prefix'):
        load(tmp_path / 'none.png', imdecode_backend=backend)
    (tmp_path / 'a.png').write_bytes(b'no image')
    with pytest.raises(BadSample, match="broken image.*a.png'"):
        load(tmp_path / 'a.png', imdecode_backend=backend)


def test_turbojpeg_reads_jpegs_and_pillow_the_rest(tmp_path):
    pytest.importorskip('turbojpeg')
    smooth = np.mgrid[:48, :64].sum(0)[..., None] * np.array([1, 2, 0]) % 200
    image = Image.fromarray(smooth.astype(np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter to the right
    image.save(tmp_path / 'a.jpg', quality=95)
    image.save(tmp_path / 'b.jpg', quality=95, exif=turned)
    image.save(tmp_path / 'c.png')
    for name, size in (('a.jpg', (48, 64)), ('b.jpg', (64, 48)), ('c.png', (48, 64))):
        found = [LoadImage(backend)(dict(img_path=str(tmp_path / name)))['img'].astype(int)
                 for backend in ('turbojpeg', 'cv2')]
        assert found[0].shape == (*size, 3)
        assert abs(found[0] - found[1]).max() <= 2


def test_without_turbojpeg_the_config_is_refused(monkeypatch):
    from mmcv.image import io

    load_turbojpeg.cache_clear()
    monkeypatch.setattr(io, 'TurboJPEG', None)
    before = io.imread_backend
    with pytest.raises(ImportError, match="needs libturbojpeg .* 'cv2' needs neither"):
        LoadImage('turbojpeg')
    assert io.imread_backend == before


@pytest.mark.parametrize('kind, backend', [('LoadImage', 'pillow'), ('LoadImageFromFile', 'cv2')])
def test_the_name_of_mmcv_has_the_same_rules_and_its_own_defaults(kind, backend, tmp_path):
    path = tmp_path / 'a.pgm'
    path.write_bytes(b'P5 8 4 65535\n' + b'\x80\0' * 32)  # MMCV: white, with any library
    with DefaultScope.overwrite_default_scope('glip_mm'):
        loader = TRANSFORMS.build(dict(type=kind))
    assert loader.imdecode_backend == backend
    assert (loader(dict(img_path=str(path)))['img'] == 128).all()


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.jpg')
    (tmp_path / 'b.jpg').mkdir()
    for name, kind in (('a.jpg', 'a pipe'), ('b.jpg', 'a folder')):
        with pytest.raises(BadSample, match=f"broken image: '.*{name}': it is {kind}, not a file"):
            load(tmp_path / name)


def test_empty_results_where_asked_for(tmp_path):
    assert LoadImage(ignore_empty=True).transform(dict(img_path=str(tmp_path / 'a.jpg'))) is None
