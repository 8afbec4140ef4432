"""Images of requests: decoded within limits, and never read from where a client says."""

import base64
import binascii
from pathlib import Path

import numpy as np

from glip_mm.apis.images import ImagePipeline
from glip_mm.apis.inputs import ImageError
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.formats.label_studio import image_names
from glip_mm.image_decoding import open_image, require_regular_file

from .settings import Refused, ServerSettings


def decode(content: bytes, pipeline: ImagePipeline, settings: ServerSettings) -> np.ndarray:
    """Decode an image as the pipeline of a model does.

    Returns:
        ``[height, width, 3]`` uint8 BGR.

    Raises:
        Refused: 413 if it has too many pixels, 422 if it is damaged or none.
    """
    try:
        with open_image(content) as image:
            width, height = image.size
    except Exception as error:  # of any decoder
        raise Refused(422, f'the image can not be decoded: {error}') from error
    if width * height > settings.max_pixels:
        raise Refused(413, f'the image has {width} x {height} pixels, and at most '
                      f'{settings.max_pixels} are taken: make it smaller')
    try:
        return pipeline.load(content, 0)['img'].astype(np.uint8, copy=False)
    except ImageError as error:
        raise Refused(422, str(error)) from error


def from_base64(text: object, settings: ServerSettings) -> bytes:
    """Read an image in base64, alone or as a ``data:`` URL.

    Raises:
        Refused: 413 if it is too large, 422 if it is none.
    """
    if not isinstance(text, str) or not text:
        raise Refused(422, "'image' must be an image in base64; files and addresses are not read")
    if text.startswith('data:'):
        kind, comma, text = text.partition(',')
        if not comma or not kind.endswith(';base64'):
            raise Refused(422, 'a data: URL must hold an image in base64')
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, 'the image is no base64; files and addresses are not read') from None
    return _limited(content, settings)


def of_task(url: object, settings: ServerSettings) -> bytes:
    """Read the image of a Label Studio task.

    Args:
        url: A ``data:`` URL, or a path of Label Studio's, ``/data/local-files/?d=PATH`` or
            ``/data/upload/PATH``, whose file is ``PATH`` or ``upload/PATH`` below the media root.
        settings: Settings with the media root.

    Raises:
        Refused: 413 if it is too large, 422 if it is elsewhere or missing.
    """
    if isinstance(url, str) and url.startswith('data:'):
        return from_base64(url, settings)
    text = str(url)[:200]
    if not isinstance(url, str) or not url.startswith(('/data/local-files/', '/data/upload/')):
        raise Refused(422, f'the image {text!r} is not read: only data: URLs, /data/local-files/ '
                      'and /data/upload/ are')
    if settings.media_root is None:
        raise Refused(422, f'the image {text!r} is on disk: start the server with --media-root')
    for name in image_names(url):
        try:
            path = Path(below(settings.media_root, name.removeprefix('/data/')))
            if require_regular_file(path).st_size > settings.max_bytes:
                raise _too_large(settings)
            return path.read_bytes()
        except (OSError, ValueError):
            continue
    raise Refused(422, f'there is no image {text!r} below the media root')


def _limited(content: bytes, settings: ServerSettings) -> bytes:
    if len(content) > settings.max_bytes:
        raise _too_large(settings)
    return content


def _too_large(settings: ServerSettings) -> Refused:
    return Refused(413, f'at most {settings.max_bytes} bytes are taken: make the image smaller')
