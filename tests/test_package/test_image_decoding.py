"""Images of all kinds are decoded to what they show, whatever the library."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from glip_mm import image_decoding
from glip_mm.image_decoding import decode_image, is_cut, open_image, orientation
from tests import fresh

SIZE = (32, 20)
COLOURS = np.random.default_rng(0).integers(0, 255, (20, 32, 3), dtype=np.uint8)
BACKENDS = pytest.mark.parametrize('backend', ['pillow', 'cv2'])


def encoded(image, kind='PNG', **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        stream, kind, **options)
    return stream.getvalue()


def flat(value, dtype):
    return np.full(SIZE[::-1], value, dtype)


def pgm(value, most):
    return b'P5 32 20 %d\n' % most + flat(value, '>u2').tobytes()


def palette():
    image = Image.new('P', SIZE, 1)
    image.putpalette([0, 0, 0, 127, 127, 127])
    return encoded(image, transparency=1)


def tiff_of_12_bits():
    """Two values of 12 bits in three bytes, as cameras and microscopes write them."""
    pixels = b'\x7f\xf7\xff' * (32 * 20 // 2)
    entries = [(256, 4, 32), (257, 4, 20), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 122),
               (277, 3, 1), (278, 4, 20), (279, 4, len(pixels))]
    table = b''.join(struct.pack('<HHII', tag, kind, 1, value) for tag, kind, value in entries)
    return (b'II*\0\x08\0\0\0' + struct.pack('<H', len(entries)) + table + b'\0' * 4).ljust(
        122, b'\0') + pixels


BIG_ENDIAN = Image.frombytes('I;16B', SIZE, flat(32600, '>u2').tobytes())
DARK_PAGE = [Image.new('L', SIZE, 0)]
MIDDLE = dict(
    png_16=encoded(flat(32600, np.uint16)), tiff_16=encoded(flat(32600, np.uint16), 'TIFF'),
    tiff_16_big_endian=encoded(BIG_ENDIAN, 'TIFF'),
    jpeg2000_16=encoded(flat(32600, np.uint16), 'JPEG2000'),
    pgm_16=pgm(32600, 65535), pgm_plain=b'P2 32 20 65535\n' + b'32600 ' * 640,
    pgm_12=pgm(2047, 4095),
    tiff_12=tiff_of_12_bits(), tiff_int32=encoded(flat(32600, np.int32), 'TIFF'),
    tiff_unit_floats=encoded(flat(.5, np.float32), 'TIFF'),
    tiff_floats=encoded(flat(127.4, np.float32), 'TIFF'),
    pfm=b'Pf\n32 20\n-1.0\n' + flat(.5, '<f4').tobytes(),
    cmyk=encoded(Image.new('CMYK', SIZE, (0, 0, 0, 128)), 'JPEG'), palette=palette(),
    grey_alpha=encoded(Image.new('LA', SIZE, (127, 40))),
    alpha=encoded(Image.new('RGBA', SIZE, (127, 127, 127, 0))),
    gif=encoded(Image.new('L', SIZE, 127), 'GIF', save_all=True, append_images=DARK_PAGE),
    webp=encoded(Image.new('L', SIZE, 127), 'WEBP', save_all=True, append_images=DARK_PAGE),
    apng=encoded(Image.new('L', SIZE, 127), save_all=True, append_images=DARK_PAGE),
    pages=encoded(Image.new('L', SIZE, 127), 'TIFF', save_all=True, append_images=DARK_PAGE),
    stripes=encoded(Image.fromarray(np.tile(np.array([0, 254], np.uint8), (20, 16)))),
    bits=encoded(Image.fromarray(np.tile(np.array([0, 255], np.uint8), (20, 16))).convert('1')))


@BACKENDS
@pytest.mark.parametrize('name', MIDDLE)
def test_mid_grey_is_mid_grey(name, backend):
    image = decode_image(MIDDLE[name], backend=backend)
    assert image.shape == (20, 32, 3) and image.dtype == np.uint8
    assert image.mean() == pytest.approx(127, abs=.5)
    assert decode_image(MIDDLE[name], 'grayscale', backend).mean() == pytest.approx(127, abs=.5)


@BACKENDS
@pytest.mark.parametrize('pixels, said', [
    (flat(70000, np.int32), 'between 70000 and 70000'), (flat(-1, np.int32), 'between -1 and'),
    (flat(256, np.float32), 'between 256 and 256'), (flat(np.nan, np.float32), 'nan and nan')])
def test_values_without_a_known_white_are_refused(pixels, said, backend):
    with pytest.raises(ValueError, match=f'{said}.*nothing says which .* convert it to 8 bits'):
        decode_image(encoded(pixels, 'TIFF'), backend=backend)


def test_12_bits_that_nothing_tells_of_are_warned_of_once(monkeypatch, recwarn):
    monkeypatch.setattr(image_decoding, '_dark', [])
    for name in ('a.png', 'b.png'):
        decode_image(encoded(flat(4095, np.uint16)), where=name)
    assert [str(w.message) for w in recwarn] == [
        "'a.png' has 16 bits, and its brightest value is 4095 of 65535: it is read nearly black, "
        'as may be others; convert them to 8 bits, stretched']


@pytest.mark.parametrize('kind, options', [
    ('PNG', {}), ('TIFF', {}), ('WEBP', dict(lossless=True)), ('JPEG', dict(quality=95))])
@pytest.mark.parametrize('turned', range(1, 9))
def test_orientation(turned, kind, options):
    exif = Image.Exif()
    exif[0x112] = turned
    content = encoded(COLOURS, kind, exif=exif, **options)
    stored = decode_image(encoded(COLOURS, kind, **options))
    upright = [None, lambda a: a, np.fliplr, lambda a: a[::-1, ::-1], np.flipud,
               lambda a: a.swapaxes(0, 1), lambda a: np.rot90(a, -1),
               lambda a: np.rot90(a, 2).swapaxes(0, 1), np.rot90][turned](stored)
    for backend in ('pillow', 'cv2'):
        image = decode_image(content, 'color', backend)
        assert image.shape == upright.shape
        assert np.abs(image.astype(int) - upright).max() <= (4 if kind == 'JPEG' else 0)
        image = decode_image(content, 'color_ignore_orientation', backend)
        assert image.shape == stored.shape
        assert np.abs(image.astype(int) - stored).max() <= (4 if kind == 'JPEG' else 0)


def test_damaged_exif_data_leave_the_image_as_it_is():
    content = encoded(COLOURS, exif=b'Exif\0\0II*\0\x08\0\0\0\xff\xff broken')
    assert orientation(open_image(content)) == 1
    assert (decode_image(content) == COLOURS[..., ::-1]).all()


@BACKENDS
@pytest.mark.parametrize('what', ['text', 'international', 'profile', 'many', 'after'])
def test_png_with_large_texts_or_profile(what, backend, tmp_path):
    info, options = PngInfo(), {}
    if what == 'text':
        info.add_text('a', 'x' * (3 << 20), zip=True)
    elif what == 'international':
        info.add_itxt('a', 'y' * (3 << 20), zip=True)
    elif what == 'many':
        for i in range(70):
            info.add_text(f'{i}', 'z' * (1 << 20), zip=True)
    elif what == 'after':
        info.add(b'zTXt', b'a\0\0' + zlib.compress(b'x' * (3 << 20)), after_idat=True)
    else:
        options['icc_profile'] = bytes(5 << 20)
    exif = Image.Exif()
    exif[0x112] = 6  # must survive
    content = encoded(COLOURS, pnginfo=info, exif=exif, **options)
    with pytest.raises(ValueError, match='[Tt]oo (large|much)'):
        Image.open(io.BytesIO(content)).load()
    assert (decode_image(content, backend=backend) == np.rot90(COLOURS, -1)[..., ::-1]).all()
    (tmp_path / 'a.png').write_bytes(content)
    assert open_image(tmp_path / 'a.png').size == SIZE


def test_a_png_without_them_is_not_copied():
    content = encoded(COLOURS, icc_profile=bytes(100)) + b'something behind'
    assert image_decoding.without_large_texts(content) is content


def test_too_many_pixels():
    def chunk(kind, body):
        return struct.pack('>I', len(body)) + kind + body + struct.pack(
            '>I', zlib.crc32(kind + body))
    content = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack(
        '>IIBBBBB', 20000, 20000, 8, 0, 0, 0, 0)) + chunk(b'IDAT', b'') + chunk(b'IEND', b'')
    with pytest.raises(ValueError, match='400000000 pixels, more than the 178956970 .* tiles'):
        decode_image(content)


@BACKENDS
@pytest.mark.parametrize('kind, missing', [('JPEG', 20), ('JPEG', 700), ('PNG', 60), ('PNG', 900),
                                           ('TIFF', 20), ('WEBP', 20), ('BMP', 20)])
def test_what_is_cut_is_refused(kind, missing, backend):
    with pytest.raises(ValueError):
        decode_image(encoded(COLOURS, kind)[:-missing], backend=backend)


@BACKENDS
def test_what_follows_the_end_does_not_matter(backend):
    for kind in ('JPEG', 'PNG'):
        whole = encoded(COLOURS, kind)
        assert is_cut(kind, whole[-9:-1]) and not is_cut(kind, whole[-8:])
        assert np.array_equal(decode_image(whole + b'\0' * 20, backend=backend),
                              decode_image(whole, backend=backend))


@pytest.mark.parametrize('content, said', [(b'', 'empty'), (b'<html>', 'unknown format')])
def test_what_is_no_image(content, said):
    with pytest.raises(ValueError, match=said):
        decode_image(content)


def test_a_file_of_more_bytes_than_the_memory_holds(tmp_path):
    with open(tmp_path / 'holes.jpg', 'wb') as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match='1,099,511,627,776 bytes, more than 1,073,741,824'):
        open_image(tmp_path / 'holes.jpg')


def test_a_program_is_not_run(monkeypatch, tmp_path):
    # Pillow hands PostScript to Ghostscript
    monkeypatch.setattr('PIL.EpsImagePlugin.Ghostscript', lambda *words, **options: 1 / 0)
    content = (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n'
               b'(a.txt) (w) file closefile\nshowpage\n%%EOF\n')
    (tmp_path / 'a.jpg').write_bytes(content)
    for read in (lambda: decode_image(content), lambda: decode_image(content, backend='cv2'),
                 lambda: open_image(tmp_path / 'a.jpg')):
        with pytest.raises(ValueError, match='it is a program in PostScript, which is not run'):
            read()


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / 'a.jpg')
    with pytest.raises(ValueError, match='it is a pipe, not a file'):
        open_image(tmp_path / 'a.jpg')
    with pytest.raises(ValueError, match='it is a device, not a file'):
        open_image('/dev/zero')


@pytest.mark.parametrize('settings', [
    {}, dict(backend='cv2'), dict(color_type='unchanged'), dict(backend='tifffile')])
def test_pixels_are_counted_before_decoding(settings, monkeypatch):
    content = encoded(COLOURS)
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 300)
    with pytest.raises(ValueError, match='it has 640 pixels, more than the 600 that are read: .* '
                                         'or set GLIP_MM_MAX_PIXELS'):
        decode_image(content, **settings)


def test_the_limit_of_pixels_is_a_switch(tmp_path):
    code = 'import PIL.Image, glip_mm.image_decoding; print(PIL.Image.MAX_IMAGE_PIXELS)'
    for value, limit in (('1000', '500'), ('x', str(Image.MAX_IMAGE_PIXELS))):
        found = fresh.run(code, env={**os.environ, 'GLIP_MM_MAX_PIXELS': value})
        assert found.stdout.strip() == limit, found.stderr
