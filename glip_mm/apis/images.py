"""Loading of users' images through the test pipeline of a config."""

import os
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.fileio.backends import prefix_to_backends

from glip_mm.image_decoding import decode_image
from glip_mm.image_suffixes import VIDEO_SUFFIXES
from glip_mm.registry import type_name
from glip_mm.text import Prompt

from .inputs import ImageError, OneImage, to_bgr

#: Transforms that turn annotations into ground truth and prompts; here nothing is annotated.
_NEED_ANNOTATIONS = ('LoadAnnotations', 'BuildPrompt')


class ImagePipeline:
    """Test pipeline of a config, split after the image is loaded.

    Args:
        cfg: A config with ``test_dataloader.dataset.pipeline``.

    Raises:
        ValueError: If there is no such pipeline, or no image is loaded in it.
    """

    def __init__(self, cfg: Config) -> None:
        from glip_mm.datasets import LoadImage  # imports MMDetection
        steps = [step for step in pipeline_cfg(cfg)
                 if type_name(step) not in _NEED_ANNOTATIONS]
        transforms = Compose(steps).transforms
        loaders = [i for i, step in enumerate(transforms) if isinstance(step, LoadImageFromFile)]
        if not loaders:
            raise ValueError('test_dataloader.dataset.pipeline loads no image; begin it with '
                             "dict(type='LoadImage')")
        self.loader = LoadImage.like(transforms[loaders[0]])
        self.before, self.after = transforms[:loaders[0]], transforms[loaders[0] + 1:]

    def load(self, image: OneImage, index: int, channel_order: str = 'bgr') -> dict[str, Any]:
        """Read one image.

        Args:
            image: Path, address, array, tensor, PIL image or encoded image, see
                :func:`.inputs.list_images`.
            index: Value of ``img_id``.
            channel_order: See :func:`.inputs.to_bgr`.

        Returns:
            The pipeline's results after loading; ``results['img']`` is ``[h, w, 3]`` BGR.

        Raises:
            FileNotFoundError: If there is no such file.
            ImageError: If it cannot be fetched or decoded.
        """
        results: dict[str, Any] = {'img_id': index, 'instances': []}
        if not isinstance(image, str):
            return {**results, 'img_path': None, **self._pixels(image, channel_order)}
        results['img_path'] = image
        remote = '://' in image
        if remote and image.partition('://')[0] not in prefix_to_backends:
            raise ImageError(f"image '{image}' can not be fetched: an address begins with http:// "
                             'or https://')
        if not remote and not os.path.lexists(image):
            raise FileNotFoundError(f"image '{image}' does not exist; check the path")
        if image.lower().endswith(VIDEO_SUFFIXES):
            raise ImageError(f"image '{image}' is a video: demo/video_demo.py takes those; here "
                             'give its frames, as image files or a generator of arrays')
        try:
            for step in (*self.before, self.loader):
                results = step(results)
            if results is None or results['img'] is None or not results['img'].size:
                raise ValueError('no pixels')
        except Exception as error:  # every decoder and file backend has its own exceptions
            what = 'fetched or decoded' if remote else 'decoded'
            raise ImageError(f"image '{image}' can not be {what}: {_reason(error)}") from error
        return results

    def rgb(self, image: OneImage, channel_order: str = 'bgr') -> np.ndarray:
        """Return the pixels of an image, ``[height, width, 3]`` uint8 RGB, see :meth:`load`."""
        return self.load(image, 0, channel_order)['img'].astype(np.uint8)[..., ::-1]

    @staticmethod
    def part(loaded: dict[str, Any], box: tuple[int, int, int, int]) -> dict[str, Any]:
        """Cut a loaded image.

        Args:
            loaded: Results of :meth:`load`.
            box: ``x1, y1, x2, y2`` in pixels, half open.

        Returns:
            The results of an image that is this part.
        """
        x1, y1, x2, y2 = box
        pixels = np.ascontiguousarray(loaded['img'][y1:y2, x1:x2])
        return {**loaded, 'img': pixels, 'img_shape': pixels.shape[:2],
                'ori_shape': pixels.shape[:2]}

    def _pixels(self, image: Any, channel_order: str) -> dict[str, Any]:
        if isinstance(image, bytes):
            try:
                pixels = decode_image(image, self.loader.color_type, self.loader.imdecode_backend)
            except ValueError as error:
                raise ImageError(f'the image given as bytes can not be decoded: {error}') from error
        else:
            pixels = to_bgr(image, channel_order)
        return {'img': pixels.astype(np.float32) if self.loader.to_float32 else pixels,
                'img_shape': pixels.shape[:2], 'ori_shape': pixels.shape[:2]}

    def pack(self, results: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
        """Run the transforms after loading.

        Args:
            results: Results of :meth:`load`.
            prompt: Prompt of the image.

        Returns:
            ``inputs`` and ``data_samples`` for ``model.test_step``.
        """
        for step in self.after:
            results = step(results)
        results['data_samples'].set_metainfo({'prompt': prompt})
        return results


def _reason(error: BaseException) -> str:
    if hasattr(error, 'remedy') and error.__cause__ is not None:
        error = error.__cause__  # of a BadSample, without the path, which the message has already
    return ' '.join(str(error).split())[:300] or type(error).__name__


def pipeline_cfg(cfg: Config) -> list[dict]:
    """Return the steps of the test pipeline.

    Raises:
        ValueError: If there are none.
    """
    dataset = cfg.get('test_dataloader', {}).get('dataset', {})
    while 'pipeline' not in dataset and ('dataset' in dataset or 'datasets' in dataset):
        # wrappers such as ConcatDataset: all members of a test set share one pipeline
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    if not dataset.get('pipeline'):
        raise ValueError('the config has no test_dataloader.dataset.pipeline; inference prepares '
                         'images as testing does, so add one')
    return [dict(step) for step in dataset['pipeline']]
