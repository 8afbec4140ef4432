"""Facts of image files: all headers and ends, pixels as far as time allows, remembered by file."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from PIL import Image
from tqdm import tqdm

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.data_error import read_json
from glip_mm.image_decoding import (
    decode_image,
    decode_strictly,
    is_cut,
    is_deep,
    open_image,
    orientation,
    require_regular_file,
    stored_size,
)

#: Name of the file in the work directory in which facts are remembered.
CACHE = 'image_checks.json'
#: Seconds in which images of a data set are decoded; the first are those whose end is missing.
DECODING = 60.
#: What the facts in a file depend on, besides the images.
_VERSION = [1, PIL.__version__]
_BATCH = 64


class ImageFacts(NamedTuple):
    """Facts of an image file.

    Attributes:
        size: Width and height as they are stored.
        turned: Whether its EXIF orientation exchanges width and height.
        deep: Pillow's mode if it has more than 8 bits a value, else empty.
        brightest: Its largest value if it is deep and was decoded, else 0.
        decoded: Whether its pixels were decoded.
        fault: Description of what is wrong with the file; empty if nothing was found.
    """

    size: tuple[int, int] = (0, 0)
    turned: bool = False
    deep: str = ''
    brightest: float = 0.
    decoded: bool = False
    fault: str = ''


#: Absolute path -> (size and time of the file, facts): sets are checked again and again in a
#: process that trains several models.
_known: dict[str, tuple[list[int], ImageFacts]] = {}


def image_facts(paths: Iterable[str], name: str, folder: str | Path | None = None
                ) -> dict[str, ImageFacts]:
    """Look at image files: the header and the end of each, and the pixels of as many as possible.

    Files that were looked at before and have not changed are not read again.

    Args:
        paths: Paths of the images, in the order in which they are decoded; others than files in
            this machine's folders must not be among them.
        name: Name of the data set, for the progress bar, which shows up after two seconds.
        folder: Work directory, in which the facts are remembered; None: in this process alone.

    Returns:
        Facts by path; missing files have none.
    """
    cache = None if folder is None else Path(folder) / CACHE
    if cache is not None:
        _recall(cache)
    stamps = {path: stamp for path in paths if (stamp := _stamp(path)) is not None}
    fresh = [path for path, stamp in stamps.items() if _remembered(path, stamp) is None]
    for path, facts in _in_threads(_look, fresh, f'{name}: looking at images'):
        _known[os.path.abspath(path)] = stamps[path], facts
    found = {path: _known[os.path.abspath(path)][1] for path in stamps}
    rest = [path for path, facts in found.items() if not facts.decoded and not facts.fault]
    for path, facts in _in_threads(lambda path: _decode(path, found[path]), rest,
                                   f'{name}: decoding images', DECODING):
        found[path] = facts
        _known[os.path.abspath(path)] = stamps[path], facts
    if cache is not None and (fresh or rest):
        _remember(cache, found)
    return found


def packed_facts(images: Mapping[str, Callable[[], bytes]]) -> dict[str, ImageFacts]:
    """Decode images that are parts of files, one after the other until the time is over.

    Args:
        images: Name of each -> function that reads it.

    Returns:
        Facts by name.
    """
    end = time.monotonic() + DECODING
    found: dict[str, ImageFacts] = {}
    for name, read in images.items():
        if time.monotonic() > end:
            break
        try:
            with open_image(content := read()) as image:
                decode_strictly(image)
            with open_image(content) as image:
                found[name] = _facts(image)._replace(decoded=True)
        except Exception as error:  # decoders raise exceptions of any type
            found[name] = ImageFacts(fault=_reason(error))
    return found


def _facts(image: Image.Image) -> ImageFacts:
    return ImageFacts(stored_size(image), orientation(image) >= 5,
                      image.mode if is_deep(image) else '')


def _stamp(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return [0, 0]  # looking at it tells the reason
    return [found.st_size, found.st_mtime_ns]


def _remembered(path: str, stamp: list[int]) -> ImageFacts | None:
    before = _known.get(os.path.abspath(path))
    return before[1] if before is not None and before[0] == stamp else None


def _look(path: str) -> ImageFacts:
    """Read header and end; decode at once if the end is missing, which cut files have."""
    try:
        require_regular_file(path)
        with open_image(path) as image:
            facts = _facts(image)
            image_format = image.format
        with open(path, 'rb') as file:
            file.seek(-min(8, os.path.getsize(path)), os.SEEK_END)
            cut = is_cut(image_format, file.read())
    except Exception as error:  # decoders raise exceptions of any type
        return ImageFacts(fault=_reason(error))
    return _decode(path, facts) if cut else facts


def _decode(path: str, facts: ImageFacts) -> ImageFacts:
    brightest = 0.
    try:
        if facts.deep:
            decode_image(Path(path).read_bytes(), where=path)
            with open_image(path) as image:
                brightest = float(np.asarray(image).max())
        else:
            with open_image(path) as image:
                decode_strictly(image)
    except Exception as error:  # decoders raise exceptions of any type
        return facts._replace(decoded=True, fault=_reason(error))
    return facts._replace(decoded=True, brightest=brightest)


def _reason(error: Exception) -> str:
    return ' '.join(str(error).split())[:160] or type(error).__name__


def _in_threads(function: Callable[[str], ImageFacts], paths: Sequence[str], title: str,
                seconds: float = float('inf')) -> Iterator[tuple[str, ImageFacts]]:
    """Apply a function to paths until the time is over, with a progress bar."""
    end = time.monotonic() + seconds
    bar = tqdm(total=len(paths), desc=title, unit='image', delay=2, mininterval=0.5)
    with bar, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(paths), _BATCH):
            if time.monotonic() > end:
                break
            batch = paths[start:start + _BATCH]
            yield from zip(batch, pool.map(function, batch))
            bar.update(len(batch))


def _recall(cache: Path) -> None:
    try:
        content = read_json(cache)
        if content['version'] != _VERSION:
            return
        for path, (stamp, size, *rest) in content['files'].items():
            _known.setdefault(path, (stamp, ImageFacts(tuple(size), *rest)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # it is absent or damaged, and spares time alone


def _remember(cache: Path, found: dict[str, ImageFacts]) -> None:
    files: dict[str, list] = {}
    try:
        before = read_json(cache)
        files = before['files'] if before['version'] == _VERSION else {}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    keys = map(os.path.abspath, found)
    files.update({key: [_known[key][0], *_known[key][1]] for key in keys})
    try:
        write_atomically(cache, json.dumps(dict(version=_VERSION, files=files)).encode(),
                         durable=False)
    except OSError:
        return  # it spares time alone
