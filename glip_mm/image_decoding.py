"""Decoding of images: the same pixels wherever an image is read.

Needs Pillow and NumPy alone, so that programs that run exported models can have a copy; other image
libraries are imported when they are asked for.
"""

import io
import os
import re
import stat
import struct
import warnings
import zlib
from os import PathLike

import numpy as np
from PIL import Image

#: Last bytes of complete files, by Pillow's name of the format; other formats have no mark.
ENDS = {'JPEG': b'\xff\xd9', 'MPO': b'\xff\xd9', 'PNG': b'IEND\xaeB`\x82', 'GIF': b';'}
#: Pillow's names of the formats that it lets another program draw.
PROGRAMS = ('EPS', )
#: Bytes of an image's file: one with holes can have more than the memory holds.
LARGEST_FILE = 1 << 30
#: 16-bit images whose brightest value is below this one are nearly black when read.
DARK = 1 << 13
# number of pixels that an image may have; Pillow, whose own limit it replaces, warns above half
if os.environ.get('GLIP_MM_MAX_PIXELS', '').isdecimal():
    Image.MAX_IMAGE_PIXELS = int(os.environ['GLIP_MM_MAX_PIXELS']) // 2

_ORIENTATION, _BITS_PER_SAMPLE = 0x112, 258
_PNG = b'\x89PNG\r\n\x1a\n'
#: Maximum size of a text or profile of a PNG, decompressed; Pillow refuses larger ones.
_LARGEST_TEXT = 1 << 20
_DAMAGED = 'it is damaged or no image: fetch it again'
#: The first image of this process that was warned of.
_dark: list[str] = []


def require_regular_file(path: str | PathLike) -> os.stat_result:
    """Check that a path is a file with content, before anything waits for a pipe or device.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it is a folder, pipe, socket or device, empty, or too large.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        kind = ('a folder' if stat.S_ISDIR(found.st_mode) else
                'a pipe' if stat.S_ISFIFO(found.st_mode) else
                'a socket' if stat.S_ISSOCK(found.st_mode) else 'a device')
        raise ValueError(f'it is {kind}, not a file')
    if not found.st_size:
        raise ValueError('the file is empty')
    given = os.environ.get('GLIP_MM_MAX_IMAGE_BYTES', '')
    largest = int(given) if given.isdecimal() else LARGEST_FILE
    if found.st_size > largest:
        raise ValueError(f'the file has {found.st_size:,} bytes, more than {largest:,} '
                         '(GLIP_MM_MAX_IMAGE_BYTES sets another limit)')
    return found


def open_image(source: bytes | str | PathLike) -> Image.Image:
    """Open an image without decoding it, like ``PIL.Image.open``.

    Unlike there, PNG files may have large texts and profiles, and a path must be that of a regular
    file.

    Args:
        source: Encoded image, or its path.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it has too many pixels or an unknown format, or is a program or no file.
    """
    if not isinstance(source, bytes):
        require_regular_file(source)
    try:
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        if image.format not in PROGRAMS:
            return image
        image.close()
    except Image.UnidentifiedImageError:  # Pillow's own message shows the address of a buffer
        raise ValueError(f'unknown format; {_DAMAGED}') from None
    except Image.DecompressionBombError as error:
        pixels = next(iter(re.findall(r'\d+', str(error))), 'too many')
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ValueError(f'it has {pixels} pixels, more than the {most} that are read: make it '
                         'smaller, cut it into tiles, or set GLIP_MM_MAX_PIXELS') from error
    except ValueError:
        if not isinstance(source, bytes):
            with open(source, 'rb') as file:
                source = file.read()
        lean = without_large_texts(source)
        if lean is source:
            raise
        return open_image(lean)
    raise ValueError('it is a program in PostScript, which is not run: convert it to PNG or JPEG')


def check_pixels(width: int, height: int, what: str = 'resized to',
                 remedy: str = 'give the resizing a max_size') -> None:
    """Refuse a size that no image may have.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        what: Where the size comes from, for the message.
        remedy: What else helps than another limit.

    Raises:
        ValueError: If it has too many pixels.
    """
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
    if most and width * height > most:
        raise ValueError(f'{what} {width} x {height}: that is more than the {most} pixels '
                         f'that an image may have: {remedy}, or set GLIP_MM_MAX_PIXELS')


def without_large_texts(content: bytes) -> bytes:
    """Remove the texts and the colour profile of a PNG that Pillow would refuse to read.

    Pixels do not depend on them. Everything else is returned as it is.
    """
    if not content.startswith(_PNG):
        return content
    kept, position, total = [_PNG], len(_PNG), 0
    while position + 12 <= len(content):
        length, kind = struct.unpack_from('>I4s', content, position)
        end = position + 12 + length
        size = 0
        if kind in (b'tEXt', b'zTXt', b'iTXt', b'iCCP'):
            size = _text_size(kind, content[position + 8:end - 4])
        total += size
        if size <= _LARGEST_TEXT and total <= 16 * _LARGEST_TEXT:
            kept.append(content[position:end])
        else:
            total -= size
        position = end
        if kind == b'IEND':
            break
    lean = b''.join(kept)
    return lean if len(lean) < min(position, len(content)) else content


def _text_size(kind: bytes, body: bytes) -> int:
    """Return the size of a chunk's text after decompression, as far as it matters."""
    rest = body.partition(b'\0')[2]
    if kind == b'tEXt' or kind == b'iTXt' and rest[:1] == b'\0':
        return len(body)
    packed = rest[2:].split(b'\0', 2)[-1] if kind == b'iTXt' else rest[1:]
    try:
        return len(zlib.decompressobj().decompress(packed, _LARGEST_TEXT + 1))
    except zlib.error:
        return 0  # Pillow ignores it


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; 1 (upright) if it has none."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data raise exceptions of any type, and the pixels are sound
        return 1
    return value if value in range(1, 9) else 1


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as they are stored; Pillow exchanges those of turned TIFF files."""
    tags = getattr(image, 'tag_v2', {}) if image.format == 'TIFF' else {}
    return (tags[256], tags[257]) if 256 in tags and 257 in tags else image.size


def is_cut(image_format: str | None, tail: bytes) -> bool:
    """Return whether a file lacks the mark at the end of its format, as truncated ones do.

    A sound file may lack it, too, if something follows it: decoding tells.

    Args:
        image_format: Pillow's name of the format.
        tail: Last bytes of the file, at least eight.
    """
    return not tail.endswith(ENDS.get(image_format or '', b''))


def is_deep(image: Image.Image) -> bool:
    """Return whether an image has more than 8 bits a value in Pillow, which clips them to white."""
    return image.mode.startswith('I') or image.mode == 'F'


def decode_image(content: bytes, color_type: str = 'color', backend: str = 'pillow',
                 where: str = '') -> np.ndarray:
    """Decode an image.

    * Grey images of 16 bits are scaled to 8 (``value // 256``), those that say that they have 12
      likewise. Floats between 0 and 1 are scaled, those up to 255 are kept; larger ones, and
      integers of more than 16 bits, are refused: nothing says what white is.
    * Transparency is ignored, and of an animation or of several pages the first is read, as in the
      published training.
    * The EXIF orientation is applied, also that of TIFF files, unless ``color_type`` ends in
      ``ignore_orientation``.

    Args:
        content: Encoded image.
        color_type: ``'color'``, ``'grayscale'``, ``'color_ignore_orientation'`` or
            ``'grayscale_ignore_orientation'``. ``'unchanged'`` is MMCV's, without these rules.
        backend: Library for JPEG and PNG of 8 bits: ``'pillow'``, ``'cv2'`` or ``'turbojpeg'``
            (JPEG alone); everything else is decoded by Pillow. ``'tifffile'`` is MMCV's.
        where: Place of the image for a warning about images that are nearly black.

    Returns:
        ``[height, width, 3]`` uint8 BGR; ``[height, width]`` for grey.

    Raises:
        ImportError: If the library is missing.
        ValueError: If it is damaged, has too many pixels, or cannot be shown in 8 bits.
    """
    if not content:
        raise ValueError('the file is empty')
    if color_type == 'unchanged' or backend == 'tifffile':
        _check_pixels(content)
        pixels = _by_mmcv(content, color_type, backend)
        if pixels is None:
            raise ValueError(f'unknown format; {_DAMAGED}')
        return pixels
    grey = color_type.startswith('grayscale')
    ignore = color_type.endswith('ignore_orientation')
    if color_type not in ('color', 'grayscale') and not ignore:
        raise ValueError(f"color_type='{color_type}' is unknown: choose 'color', or "
                         "'color_ignore_orientation'")
    content = without_large_texts(content)
    try:
        image = open_image(content)
        turned, pixels = orientation(image), None
        if backend != 'pillow' and _is_common(image, backend):
            if is_cut(image.format, content[-8:]):
                decode_strictly(image)
            # TurboJPEG knows no other flags, and never turns
            flag = ('grayscale' if grey else 'color') + '_ignore_orientation' * (backend == 'cv2')
            pixels = _by_mmcv(content, flag, backend)
        if pixels is None:
            image.load()
            if orientation(image) != turned:  # Pillow turns TIFF files itself
                ignore, turned = not ignore, {6: 8, 8: 6}.get(turned, turned)
            pixels = _eight_bits(image, grey, where)
    except (ImportError, ValueError):
        raise
    except Exception as error:  # decoders raise exceptions of any type
        reason = ' '.join(str(error).split())[:160] or type(error).__name__
        raise ValueError(f'{reason}; {_DAMAGED}') from error
    return pixels if ignore else _turn(pixels, turned)


def pixels_of(image: Image.Image) -> np.ndarray:
    """Return the pixels of an opened image, upright, by the rules of :func:`decode_image`.

    Returns:
        ``[height, width, 3]`` uint8 BGR.

    Raises:
        ValueError: If it cannot be shown in 8 bits.
    """
    image.load()
    return _turn(_eight_bits(image, False, ''), orientation(image))


def _check_pixels(content: bytes) -> None:
    try:
        open_image(content).close()
    except Exception as error:
        # all else is for the library to say, which may know more formats
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise


def _is_common(image: Image.Image, backend: str) -> bool:
    if image.mode not in ('L', 'RGB', 'RGBA', 'P'):
        return False
    return image.format in ('JPEG', 'MPO') or (
        image.format == 'PNG' and backend == 'cv2' and not getattr(image, 'is_animated', False))


def decode_strictly(image: Image.Image) -> None:
    """Raise an exception of any type for a damaged or truncated file.

    OpenCV would silently fill what is missing with grey.
    """
    # draft mode decodes an eighth of the size, several times faster and just as strictly
    image.draft('RGB', (max(image.width // 8, 1), max(image.height // 8, 1)))
    image.load()


def _by_mmcv(content: bytes, flag: str, backend: str) -> np.ndarray | None:
    import mmcv
    if backend == 'turbojpeg':
        from glip_mm.compat import load_turbojpeg
        load_turbojpeg()  # in each data loader worker, too
    return mmcv.imfrombytes(content, flag=flag, backend=backend)


def _eight_bits(image: Image.Image, grey: bool, where: str) -> np.ndarray:
    if is_deep(image):
        image = Image.fromarray(_shallow(image, where))
    if grey:
        return np.asarray(image.convert('L'))
    return np.asarray(image.convert('RGB'))[..., ::-1]


def _shallow(image: Image.Image, where: str) -> np.ndarray:
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= (255 if image.mode == 'F' else 65535)):
        raise ValueError(f'its values lie between {low:g} and {high:g}, and nothing says which of '
                         'them is white: convert it to 8 bits')
    if image.mode == 'F':
        return (values * (255 if high <= 1 else 1)).astype(np.uint8)
    tags = getattr(image, 'tag_v2', {})
    bits = tags.get(_BITS_PER_SAMPLE, (16, ))[0]
    if 8 < bits < 16:
        return (values >> (bits - 8)).astype(np.uint8)
    if 0 < high < DARK:
        _warn_of_dark_images(where, int(high))
    return (values // 256).astype(np.uint8)


def _warn_of_dark_images(where: str, brightest: int) -> None:
    if not _dark:
        _dark.append(where)
        warnings.warn(f"'{where}' has 16 bits, and its brightest value is {brightest} of 65535: it "
                      'is read nearly black, as may be others; convert them to 8 bits, stretched',
                      stacklevel=2)


def _turn(pixels: np.ndarray, turned: int) -> np.ndarray:
    """Turn an image upright."""
    if turned >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turned in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if turned in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
