"""Reading of images from files and from parts of files."""

import io

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio
from PIL import Image, ImageOps

from glip_mm.compat import load_turbojpeg
from glip_mm.datasets.bad_sample import BadSample
from glip_mm.registry import TRANSFORMS


def deep_grey(content: bytes) -> Image.Image | None:
    """Open a 16-bit grey image; None if the bytes are anything else."""
    try:
        image = Image.open(io.BytesIO(content))
    except OSError:
        return None
    return image if image.mode.startswith('I;16') else None


def is_plain_jpeg(content: bytes) -> bool:
    """Return whether TurboJPEG decodes like the others: a JPEG without an EXIF orientation."""
    return content[:2] == b'\xff\xd8' and b'Exif\0\0' not in content[:4096]


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` for files and for parts of files, such as shards.

    Grey images of 16 bits are scaled to 8 (``value // 256``, as OpenCV does); Pillow itself would
    clip them to white.

    Required keys: ``img_path``, or ``img_bytes_ref``: a callable that gives the encoded image.
    Optional: ``where``, the place of the sample for error messages.

    Added keys: ``img`` (``[h, w, 3]`` BGR), ``img_shape``, ``ori_shape``.

    Args:
        imdecode_backend: Image library; the published training used Pillow. ``'turbojpeg'``
            (PyTurboJPEG and libturbojpeg) leaves images to OpenCV unless :func:`is_plain_jpeg`.
    """

    def __init__(self, imdecode_backend: str = 'pillow', **kwargs) -> None:
        super().__init__(imdecode_backend=imdecode_backend, **kwargs)
        if imdecode_backend == 'turbojpeg':
            load_turbojpeg()  # here, so that an error is not taken for a broken image

    def transform(self, results: dict) -> dict | None:
        """Read the image.

        Raises:
            BadSample: If it is missing or broken.
        """
        where = results.get('where') or results.get('img_path', '')
        try:
            if 'img_bytes_ref' in results:
                content = results.pop('img_bytes_ref')()
            elif (self.imdecode_backend not in ('pillow', 'turbojpeg') or self.ignore_empty
                    or self.file_client_args is not None):
                return super().transform(results)
            else:
                content = fileio.get(results['img_path'], backend_args=self.backend_args)
            image = self._decode(content)
            results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
            return results
        except FileNotFoundError as error:
            raise BadSample('missing image', where,
                            f"'{results['img_path']}': check data_prefix") from error
        except Exception as error:  # decoders raise exceptions of any type
            raise BadSample('broken image', where,
                            f"'{results.get('img_path')}': {error}") from error

    def _decode(self, content: bytes) -> np.ndarray:
        grey = deep_grey(content) if self.imdecode_backend == 'pillow' else None
        if grey is not None and self.color_type.startswith('color'):
            turned = self.color_type == 'color'
            values = np.asarray(ImageOps.exif_transpose(grey) if turned else grey)
            image = np.repeat((values // 256).astype(np.uint8)[..., None], 3, axis=2)
        else:
            backend = self.imdecode_backend
            if backend == 'turbojpeg':
                load_turbojpeg()  # in each data loader worker, too
                backend = backend if is_plain_jpeg(content) else 'cv2'
            image = mmcv.imfrombytes(content, flag=self.color_type, backend=backend)
        if image is None:
            raise ValueError('it cannot be decoded')
        return image.astype(np.float32) if self.to_float32 else image
