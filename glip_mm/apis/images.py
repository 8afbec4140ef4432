"""Loading of users' images through the test pipeline of a config."""

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger

from glip_mm.image_decoding import decode_image
from glip_mm.image_suffixes import IMAGE_SUFFIXES, FolderImages
from glip_mm.text import Prompt

Input = str | PathLike | np.ndarray | bytes

#: Transforms that turn annotations into ground truth and prompts; here nothing is annotated.
_NEED_ANNOTATIONS = ('LoadAnnotations', 'BuildPrompt')


class ImageError(ValueError):
    """An image that cannot be used; the message names the image and the cause."""


def list_images(inputs: Input | Sequence[Input]) -> list[str | np.ndarray | bytes]:
    """Expand inputs to a flat list of images.

    Args:
        inputs: A path, an address, an array ``[height, width, 3]`` (uint8 BGR), an encoded image
            (bytes), a folder (its images in order of name, without subfolders), or a list of these.
            What a folder holds besides images is counted in the log.

    Raises:
        TypeError: If an input has another type.
        ValueError: If there is no image in a folder, or the list is empty.
    """
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise ValueError('inputs is an empty list; give at least one image')
        return [image for entry in inputs for image in list_images(entry)]
    if isinstance(inputs, (np.ndarray, bytes)):
        return [inputs]
    if not isinstance(inputs, (str, PathLike)):
        raise TypeError('inputs must be paths, addresses, folders, uint8 BGR arrays or encoded '
                        f'images (bytes), got {type(inputs).__name__}')
    path = str(inputs)
    if path.startswith('file://'):
        path = unquote(urlparse(path).path)
    if '://' in path or not Path(path).is_dir():
        return [path]
    found = FolderImages(path)
    if not found.files:
        raise ValueError(f"inputs: the folder '{path}' holds no image "
                         f"({' '.join(IMAGE_SUFFIXES)}){found.summary()[len(path) + 2:]}")
    if found.left_out:
        MMLogger.get_current_instance().warning(found.summary())
    return [str(file) for file in found.files]


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
                 if str(step['type']).rpartition('.')[2] not in _NEED_ANNOTATIONS]
        transforms = Compose(steps).transforms
        loaders = [i for i, step in enumerate(transforms) if isinstance(step, LoadImageFromFile)]
        if not loaders:
            raise ValueError('test_dataloader.dataset.pipeline loads no image; begin it with '
                             "dict(type='LoadImage')")
        self.loader = LoadImage.like(transforms[loaders[0]])
        self.before, self.after = transforms[:loaders[0]], transforms[loaders[0] + 1:]

    def load(self, image: str | np.ndarray | bytes, index: int) -> dict[str, Any]:
        """Read one image.

        Args:
            image: Path, address, array or encoded image, see :func:`list_images`.
            index: Value of ``img_id``.

        Returns:
            The pipeline's results after loading; ``results['img']`` is ``[h, w, 3]`` BGR.

        Raises:
            FileNotFoundError: If there is no such file.
            ImageError: If it cannot be fetched or decoded.
        """
        results: dict[str, Any] = {'img_id': index, 'instances': []}
        if not isinstance(image, str):
            return {**results, 'img_path': None, **self._pixels(image)}
        results['img_path'] = image
        remote = '://' in image
        if not remote and not os.path.lexists(image):
            raise FileNotFoundError(f"image '{image}' does not exist; check the path")
        try:
            for step in (*self.before, self.loader):
                results = step(results)
            if results is None or results['img'] is None or not results['img'].size:
                raise ValueError('no pixels')
        except Exception as error:  # every decoder and file backend has its own exceptions
            what = 'fetched or decoded' if remote else 'decoded'
            raise ImageError(f"image '{image}' can not be {what}: {_reason(error)}") from error
        return results

    def _pixels(self, image: np.ndarray | bytes) -> dict[str, Any]:
        if isinstance(image, bytes):
            try:
                pixels = decode_image(image, self.loader.color_type, self.loader.imdecode_backend)
            except ValueError as error:
                raise ImageError(f'the image given as bytes can not be decoded: {error}') from error
        else:
            pixels = _check_array(image)
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


def _check_array(image: np.ndarray) -> np.ndarray:
    shape = image.shape
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in shape or (
            image.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise ImageError(f'an image array must be uint8 of shape [height, width, 3] in BGR, got '
                         f'{image.dtype} of shape {list(shape)}')
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] == 1:
        image = image.repeat(3, axis=2)
    return np.ascontiguousarray(image[..., :3])
