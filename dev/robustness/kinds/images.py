"""Image files: other encodings of the same pixels, damage, bombs, and what is no file."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from dev.robustness.tries import Place, Try
from dev.robustness.world import World, picture

TITLE = 'images'
_TURNS = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
          4: Image.Transpose.FLIP_TOP_BOTTOM, 6: Image.Transpose.ROTATE_90,
          8: Image.Transpose.ROTATE_270}
_EPS = (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n'
        b'(canary) (w) file closefile\nshowpage\n%%EOF\n')


def prepare(world: World) -> None:
    """Build the pipeline that images go through."""
    from mmengine.registry import DefaultScope

    from glip_mm.apis.images import ImagePipeline
    with DefaultScope.overwrite_default_scope('glip_mm'):
        world.kept['pipeline'] = ImagePipeline(world.config)


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def _turned(image: Image.Image, kind: str, number: int) -> bytes:
    """Encode an image so that its EXIF orientation turns it upright."""
    turn = _TURNS[number]
    exif = Image.Exif()
    exif[0x112] = number
    return _encoded(image if turn is None else image.transpose(turn), kind, exif=exif,
                    **(dict(lossless=True, exact=True) if kind == 'WEBP' else {}))


def _with_texts(image: Image.Image) -> bytes:
    texts = PngImagePlugin.PngInfo()
    for number in range(3):
        texts.add_text(f'note {number}', 'x' * (2 << 20), zip=True)
    return _encoded(image, 'PNG', pnginfo=texts)


def _deep(image: Image.Image) -> bytes:
    grey = np.asarray(image.convert('L')).astype(np.uint16) * 257
    return _encoded(Image.fromarray(grey), 'PNG')


#: Encodings without loss.
ENCODINGS: dict[str, Callable[[Image.Image, Place], bytes]] = {
    'PNG': lambda image, place: _encoded(image, 'PNG'),
    'BMP': lambda image, place: _encoded(image, 'BMP'),
    'TIFF': lambda image, place: _encoded(image, 'TIFF', compression=place.rng.choice(
        ['raw', 'tiff_lzw', 'tiff_deflate'])),
    'WebP': lambda image, place: _encoded(image, 'WEBP', lossless=True, exact=True),
    'PPM': lambda image, place: _encoded(image, 'PPM'),
    'TGA': lambda image, place: _encoded(image, 'TGA'),
    'JPEG 2000': lambda image, place: _encoded(image, 'JPEG2000', irreversible=False),
    'transparency': lambda image, place: _encoded(_transparent(image), 'PNG'),
    'an animation': lambda image, place: _encoded(
        image, 'PNG', save_all=True, append_images=[picture(3)]),
    'turned PNG': lambda image, place: _turned(image, 'PNG', place.rng.choice(list(_TURNS))),
    'turned WebP': lambda image, place: _turned(image, 'WEBP', place.rng.choice(list(_TURNS))),
    'an orientation of 99': lambda image, place: _encoded(image, 'PNG', exif=_exif(99)),
    'large texts': lambda image, place: _with_texts(image),
    'bytes behind the end': lambda image, place: _encoded(image, 'PNG') + place.rng.randbytes(999),
}


def _exif(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = number
    return exif


def _transparent(image: Image.Image) -> Image.Image:
    copy = image.convert('RGBA')
    copy.putalpha(Image.fromarray(np.arange(64 * 96, dtype=np.uint32).reshape(64, 96) % 255
                                  ).convert('L'))
    return copy


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (struct.pack('>I', len(body)) + kind + body
                + struct.pack('>I', zlib.crc32(kind + body)))
    head = struct.pack('>2I5B', width, height, 8, 2, 0, 0, 0)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head)
            + chunk(b'IDAT', zlib.compress(bytes(1 << 20))) + chunk(b'IEND', b''))


def _bmp_header(width: int, height: int) -> bytes:
    return (b'BM' + struct.pack('<IHHI', 54, 0, 0, 54)
            + struct.pack('<IiiHHIIiiII', 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0))


#: Files that are no image, or none that may be decoded.
REFUSED: dict[str, Callable[[Place], bytes]] = {
    'nothing': lambda place: b'',
    'random bytes': lambda place: place.rng.randbytes(4000),
    'HTML': lambda place: b'<!DOCTYPE html><html>404</html>',
    'SVG': lambda place: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    'a program in PostScript': lambda place: _EPS.replace(
        b'canary', bytes(place.outside / 'canary')),
    'a zip file': lambda place: b'PK\x03\x04' + place.rng.randbytes(200),
    'a bomb of PNG': lambda place: _png_header(60000, 60000),
    'a bomb of BMP': lambda place: _bmp_header(2 ** 30, 2 ** 30),
    'a bomb of GIF': lambda place: b'GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,',
    'no pixels': lambda place: _png_header(0, 0),
    'floats without a scale': lambda place: _encoded(Image.fromarray(
        np.float32([[1e9, -5.], [2., 3.]])), 'TIFF'),
    'integers of 32 bits': lambda place: _encoded(Image.fromarray(
        np.int32([[1 << 30, -5], [2, 3]])), 'TIFF'),
}


def _special(place: Place, path: Path) -> str:
    kind = place.rng.choice(['pipe', 'socket', 'folder', 'link to a device', 'broken link', 'loop',
                             'missing'])
    if kind == 'pipe':
        os.mkfifo(path)
    if kind == 'socket':
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    if kind == 'folder':
        path.mkdir()
    if kind.startswith(('link', 'broken', 'loop')):
        path.symlink_to({'link to a device': '/dev/zero', 'broken link': 'gone'}.get(kind, path))
    return kind


def make(place: Place) -> Try:
    """Write a file, and load it as an inferencer does."""
    rng = place.rng
    number = rng.randrange(3)
    image = picture(number)
    path = place.folder / rng.choice(['a.png', 'a.jpg', 'a b.JPEG', 'ä.gif'])
    expected = np.asarray(image)[..., ::-1]
    drawn = rng.random()

    def act() -> np.ndarray:
        return place.world.kept['pipeline'].load(str(path), 0)['img']

    def wrong(pixels: np.ndarray) -> str | None:
        return None if np.array_equal(pixels, expected) else (
            f'other pixels, of shape {pixels.shape}')

    named = (str(path), )
    if drawn < .35:
        what = rng.choice([*ENCODINGS, '16 bits'])
        if what == '16 bits':
            path.write_bytes(_deep(image))
            expected = np.asarray(image.convert('L'))[..., None].repeat(3, 2)
        else:
            path.write_bytes(ENCODINGS[what](image, place))
        return Try(f'encoding: {what}', act, wrong)
    if drawn < .5:
        what = rng.choice(sorted(REFUSED))
        path.write_bytes(REFUSED[what](place))
        return Try(what, act, None, named)
    if drawn < .65:
        return Try(f'a {_special(place, path)} as a file', act, None, named)
    what = rng.choice(['PNG', 'BMP', 'TIFF', 'WebP', 'PPM', 'JPEG', 'GIF', 'JPEG 2000'])
    if what in ('JPEG', 'GIF'):
        content = _encoded(image, what)
        expected = np.asarray(Image.open(io.BytesIO(content)).convert('RGB'))[..., ::-1]
    else:
        content = ENCODINGS[what](image, place)
    if drawn < .85:
        path.write_bytes(content[:rng.randrange(1, len(content) * 19 // 20)])
        return Try(f'{what}, cut off', act, None, named)
    changed = bytearray(content)
    for _ in range(rng.choice([1, 8])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(changed))
    # no decoder compares the checksums of pixels, where a format has any
    return Try(f'{what} with flipped bits', act, lambda pixels: (
        None if pixels.dtype == np.uint8 and pixels.ndim == 3 else 'no picture'), named)
