"""Reading an image wherever it lies."""

from typing import Optional

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile

from glip_mm.registry import TRANSFORMS

from ..bad_sample import BadSample


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` for files and for pieces of files, such as shards.

    Required keys: ``img_path``, or ``img_bytes_ref``: a callable that gives the encoded image.
    Optional: ``where``, which says in errors what sample this is.

    Added keys: ``img`` (``[h, w, 3]`` BGR), ``img_shape``, ``ori_shape``.

    Args:
        imdecode_backend: Pillow decodes as the published training did.
    """

    def __init__(self, imdecode_backend: str = 'pillow', **kwargs) -> None:
        super().__init__(imdecode_backend=imdecode_backend, **kwargs)

    def transform(self, results: dict) -> Optional[dict]:
        """Read the image.

        Raises:
            BadSample: If it is missing or broken.
        """
        where = results.get('where') or results.get('img_path', '')
        try:
            if 'img_bytes_ref' in results:
                image = self._decode(results.pop('img_bytes_ref')())
                results.update(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
                return results
            return super().transform(results)
        except FileNotFoundError as error:
            raise BadSample('missing image', where,
                            f"'{results['img_path']}': check data_prefix") from error
        except Exception as error:  # decoders raise whatever they like
            raise BadSample('broken image', where,
                            f"'{results.get('img_path')}': {error}") from error

    def _decode(self, content: bytes) -> np.ndarray:
        image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        if image is None:
            raise ValueError('it cannot be decoded')
        return image.astype(np.float32) if self.to_float32 else image
