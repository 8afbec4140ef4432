"""Reading of images from files and from parts of files."""

import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.request import urlopen

from mmcv import transforms as mmcv_transforms
from mmengine import fileio

from glip_mm.compat import load_turbojpeg
from glip_mm.datasets.bad_sample import BadSample
from glip_mm.image_decoding import decode_image, require_regular_file
from glip_mm.limits import IMAGE_BYTES
from glip_mm.registry import TRANSFORMS


def color_type_of(pipeline: Iterable[Mapping[str, Any]]) -> str:
    """Return the ``color_type`` with which the pipeline of a config loads images."""
    return next((str(step['color_type']) for step in pipeline if 'color_type' in step), 'color')


#: Seconds that an address may take to answer, and to send an image.
TIMEOUT, PATIENCE = 15, 60


def fetch(address: str) -> bytes:
    """Fetch an image; MMEngine's own way waits without end, and reads whatever comes.

    Raises:
        OSError: If there is no answer, or it takes longer than :data:`PATIENCE` seconds.
        ValueError: If it is a page, or larger than an image may be.
    """
    end, content = time.monotonic() + PATIENCE, bytearray()
    with urlopen(address, timeout=TIMEOUT) as answer:
        while piece := answer.read1(1 << 20):
            content += piece
            if len(content) > IMAGE_BYTES.value:
                raise ValueError(f'more bytes come than {IMAGE_BYTES}')
            if time.monotonic() > end:
                raise TimeoutError(f'it takes longer than {PATIENCE} s')
        kind, told = answer.headers.get_content_type(), answer.headers.get('Content-Length', '')
    if told.isdecimal() and len(content) < int(told):
        raise ConnectionError(f'the connection ended after {len(content)} of {told} bytes')
    if kind == 'text/html':
        raise ValueError('a web page comes in its place: give the address of the image itself')
    return bytes(content)


@TRANSFORMS.register_module()
class LoadImage(mmcv_transforms.LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` for files and for parts of files, such as shards.

    Images are decoded by :func:`glip_mm.image_decoding.decode_image`, whose rules hold for all
    kinds of images and libraries.

    Required keys: ``img_path``, or ``img_bytes_ref``: a callable that gives the encoded image.
    Optional: ``where``, the place of the sample for error messages.

    Added keys: ``img`` (``[h, w, 3]`` BGR), ``img_shape``, ``ori_shape``.

    Args:
        imdecode_backend: Image library; the published training used Pillow. ``'turbojpeg'`` needs
            PyTurboJPEG and libturbojpeg.
        kwargs: Arguments of MMCV's class: ``color_type``, ``to_float32``, ``backend_args``, ...
    """

    def __init__(self, imdecode_backend: str = 'pillow', **kwargs) -> None:
        super().__init__(imdecode_backend=imdecode_backend, **kwargs)
        if imdecode_backend == 'turbojpeg':
            load_turbojpeg()  # here, so that an error is not taken for a broken image

    @classmethod
    def like(cls, loader: mmcv_transforms.LoadImageFromFile) -> mmcv_transforms.LoadImageFromFile:
        """Return a loader with the settings of MMCV's; a loader of another class as it is."""
        if type(loader) is not mmcv_transforms.LoadImageFromFile:
            return loader
        return cls(loader.imdecode_backend, color_type=loader.color_type,
                   to_float32=loader.to_float32, ignore_empty=loader.ignore_empty,
                   file_client_args=loader.file_client_args, backend_args=loader.backend_args)

    def transform(self, results: dict) -> dict | None:
        """Read the image.

        Raises:
            BadSample: If it is missing or broken.
        """
        path = results.get('img_path')
        where = results.get('where') or path or ''
        try:
            image = decode_image(self._read(results), self.color_type, self.imdecode_backend,
                                 str(path or where))
        except Exception as error:  # file backends raise exceptions of any type
            if self.ignore_empty:
                return None
            if isinstance(error, FileNotFoundError):
                raise BadSample('missing image', where, f"'{path}': check data_prefix") from error
            raise BadSample('broken image', where, f"'{path}': {error}") from error
        results['img'] = image.astype('float32') if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _read(self, results: dict) -> bytes:
        if 'img_bytes_ref' in results:
            return results.pop('img_bytes_ref')()
        path = results['img_path']
        if str(path).startswith(('http://', 'https://')):
            return fetch(str(path))
        if '://' not in str(path) and {**(self.backend_args or self.file_client_args or {})}.get(
                'backend', 'local') in ('local', 'disk'):
            require_regular_file(path)
        if self.file_client_args is not None:
            return fileio.FileClient.infer_client(self.file_client_args, path).get(path)
        return fileio.get(path, backend_args=self.backend_args)


@TRANSFORMS.register_module(name='LoadImageFromFile')
class LoadImageByOpenCV(LoadImage):
    """``LoadImageFromFile`` of configs: MMCV's arguments and defaults, and our rules of decoding.

    ``mmcv.LoadImageFromFile`` remains MMCV's own.
    """

    def __init__(self, to_float32: bool = False, color_type: str = 'color',
                 imdecode_backend: str = 'cv2', **kwargs) -> None:
        super().__init__(imdecode_backend, to_float32=to_float32, color_type=color_type, **kwargs)
