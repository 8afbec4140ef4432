"""Loading of users' images through the test pipeline of a config."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import PIL.Image
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose

from glip_mm.image_suffixes import IMAGE_SUFFIXES
from glip_mm.text import Prompt

Input = str | PathLike | np.ndarray


#: Transforms that turn annotations into ground truth and prompts; here nothing is annotated.
_NEED_ANNOTATIONS = ('LoadAnnotations', 'BuildPrompt')


class ImageError(ValueError):
    """An image that cannot be used; the message names the image and the cause."""


def list_images(inputs: Input | Sequence[Input]) -> list[str | np.ndarray]:
    """Expand inputs to a flat list of images.

    Args:
        inputs: A path, an address, an array ``[height, width, 3]`` (uint8 BGR), a folder (its
            images in order of name, without subfolders), or a list of these.

    Raises:
        TypeError: If an input has another type.
        ValueError: If there is no image in a folder, or the list is empty.
    """
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise ValueError('inputs is an empty list; give at least one image')
        return [image for entry in inputs for image in list_images(entry)]
    if isinstance(inputs, np.ndarray):
        return [inputs]
    if not isinstance(inputs, (str, PathLike)):
        raise TypeError('inputs must be paths, addresses, folders or uint8 BGR arrays, got '
                        f'{type(inputs).__name__}')
    path = str(inputs)
    if path.startswith('file://'):
        path = unquote(urlparse(path).path)
    if '://' in path or not Path(path).is_dir():
        return [path]
    files = sorted(str(file) for file in Path(path).iterdir()
                   if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not files:
        raise ValueError(f"inputs: the folder '{path}' holds no image "
                         f"({' '.join(IMAGE_SUFFIXES)})")
    return list(files)


class ImagePipeline:
    """Test pipeline of a config, split after the image is loaded.

    Args:
        cfg: A config with ``test_dataloader.dataset.pipeline``.

    Raises:
        ValueError: If there is no such pipeline, or no image is loaded in it.
    """

    def __init__(self, cfg: Config) -> None:
        steps = [step for step in pipeline_cfg(cfg)
                 if str(step['type']).rpartition('.')[2] not in _NEED_ANNOTATIONS]
        transforms = Compose(steps).transforms
        loaders = [i for i, step in enumerate(transforms) if isinstance(step, LoadImageFromFile)]
        if not loaders:
            raise ValueError('test_dataloader.dataset.pipeline loads no image; begin it with '
                             "dict(type='LoadImageFromFile')")
        self.loader = transforms[loaders[0]]
        self.before, self.after = transforms[:loaders[0]], transforms[loaders[0] + 1:]

    def load(self, image: str | np.ndarray, index: int) -> dict[str, Any]:
        """Read one image.

        Args:
            image: Path, address or array, see :func:`list_images`.
            index: Value of ``img_id``.

        Returns:
            The pipeline's results after loading; ``results['img']`` is ``[h, w, 3]`` BGR.

        Raises:
            FileNotFoundError: If there is no such file.
            ImageError: If it cannot be fetched or decoded.
        """
        results: dict[str, Any] = {'img_id': index, 'instances': []}
        if isinstance(image, np.ndarray):
            pixels = _check_array(image)
            if self.loader.to_float32:
                pixels = pixels.astype(np.float32)
            return {**results, 'img_path': None, 'img': pixels, 'img_shape': pixels.shape[:2],
                    'ori_shape': pixels.shape[:2]}
        results['img_path'] = image
        remote = '://' in image
        if not remote and not Path(image).is_file():
            raise FileNotFoundError(f"image '{image}' does not exist; check the path")
        try:
            if not remote:
                _refuse_truncated(image)
            for step in (*self.before, self.loader):
                results = step(results)
            if results is None or results['img'] is None or not results['img'].size:
                raise ValueError('no pixels')
        except Exception as error:  # every decoder and file backend has its own exceptions
            what = 'fetched or decoded' if remote else 'decoded'
            raise ImageError(f"image '{image}' can not be {what} ({_reason(error)}); it is damaged "
                             'or no image') from error
        return results

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


def _reason(error: Exception) -> str:
    if isinstance(error, PIL.UnidentifiedImageError):
        return 'unknown format'  # Pillow's own message shows the address of a buffer
    return ' '.join(str(error).split())[:160] or type(error).__name__


def _refuse_truncated(path: str) -> None:
    """Raise for a truncated file, whose missing part OpenCV would silently fill with grey."""
    try:
        with PIL.Image.open(path) as image:
            # draft mode decodes an eighth of the size, several times faster and just as strictly
            image.draft('RGB', (max(image.width // 8, 1), max(image.height // 8, 1)))
            image.load()
    except (PIL.UnidentifiedImageError, PIL.Image.DecompressionBombError):
        pass  # Pillow cannot tell; the pipeline's own decoder may still read it


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
