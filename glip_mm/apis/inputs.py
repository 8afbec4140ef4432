"""What users give as images: expanded to a flat list, and converted to pixels."""

from collections.abc import Iterator, Sequence
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import torch
from mmengine.logging import MMLogger
from PIL import Image

from glip_mm.image_decoding import pixels_of
from glip_mm.image_suffixes import IMAGE_SUFFIXES, FolderImages
from glip_mm.text.names import read_names

#: One image, or what stands for several.
Input = str | PathLike | np.ndarray | bytes | torch.Tensor | Image.Image
#: One image.
OneImage = str | np.ndarray | bytes | torch.Tensor | Image.Image

CHANNEL_ORDERS = ('bgr', 'rgb')


class ImageError(ValueError):
    """An image that cannot be used; the message names the image and the cause."""


def list_images(inputs: Input | Sequence[Input], recursive: bool = False) -> list[OneImage]:
    """Expand inputs to a flat list of images.

    Args:
        inputs: A path, an address, an array ``[height, width, 3]`` (uint8), an encoded image
            (bytes), a PIL image, a tensor (``[3, height, width]``, ``[height, width, 3]`` or a
            batch of these), a folder (its images in order of name), a text file (``.txt``) that
            lists images, one a line, relative to its own folder, or a list of all these. What a
            folder holds besides images is counted in the log.
        recursive: Whether subfolders of a folder are searched, too.

    Raises:
        FileNotFoundError: If a listed text file does not exist.
        TypeError: If an input has another type.
        ValueError: If there is no image in a folder, or the list is empty.
    """
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise ValueError('inputs is an empty list; give at least one image')
        return [image for entry in inputs for image in list_images(entry, recursive)]
    if isinstance(inputs, torch.Tensor) and inputs.ndim == 4:
        return list(inputs)
    if isinstance(inputs, (np.ndarray, bytes, torch.Tensor, Image.Image)):
        return [inputs]
    if not isinstance(inputs, (str, PathLike)):
        raise TypeError('inputs must be paths, addresses, folders, uint8 arrays, tensors, PIL '
                        f'images or encoded images (bytes), got {type(inputs).__name__}')
    path = str(inputs)
    if path.startswith('file://'):
        path = unquote(urlparse(path).path)
    if '://' in path:
        return [path]
    if path.endswith('.txt'):
        return _listed(Path(path))
    if not Path(path).is_dir():
        return [path]
    found = FolderImages(path, recursive)
    if not found.files:
        deeper = '' if recursive else '; recursive=True (--recursive) looks into its subfolders'
        raise ValueError(f"inputs: the folder '{path}' holds no image "
                         f"({' '.join(IMAGE_SUFFIXES)}){found.summary()[len(path) + 2:]}{deeper}")
    if found.left_out:
        MMLogger.get_current_instance().warning(found.summary())
    return [str(file) for file in found.files]


def check_present(images: Sequence[OneImage]) -> None:
    """Refuse inputs of which none can be there: files alone, and all of them missing.

    Raises:
        FileNotFoundError: Names the first.
    """
    missing = [image for image in images if isinstance(image, str) and '://' not in image
               and not Path(image).exists()]
    if missing and len(missing) == len(images):
        raise FileNotFoundError(f"inputs: '{missing[0]}' does not exist")


def expand_inputs(inputs: Any, recursive: bool = False) -> list[OneImage] | Iterator[OneImage]:
    """Expand inputs as :func:`list_images` does; those of an iterator one by one, as it gives them.
    """
    if isinstance(inputs, Iterator):
        return chain.from_iterable(list_images(entry, recursive) for entry in inputs)
    return list_images(inputs, recursive)


def _listed(path: Path) -> list[OneImage]:
    return [name if '://' in name else str(path.parent / name) for name in read_names(path)]


def to_bgr(image: np.ndarray | torch.Tensor | Image.Image, channel_order: str = 'bgr'
           ) -> np.ndarray:
    """Convert an image that is decoded already.

    A tensor whose first dimension is 1, 3 or 4 is ``[channels, height, width]``, as torchvision's
    are, else ``[height, width, channels]``; floats are between 0 and 1. Grey is repeated,
    transparency ignored.

    Args:
        image: Array, tensor, or PIL image (whose colours have names).
        channel_order: Order of the colours of arrays and tensors, ``'bgr'`` or ``'rgb'``.

    Returns:
        ``[height, width, 3]`` uint8 BGR.

    Raises:
        ImageError: If it is of another type or shape.
    """
    if isinstance(image, Image.Image):
        try:
            return np.ascontiguousarray(pixels_of(image))
        except Exception as error:  # of a decoder: PIL reads the file now
            raise ImageError(f'a PIL image can not be read: {error}') from error
    array = _of_tensor(image) if isinstance(image, torch.Tensor) else image
    shape = array.shape
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or 0 in shape or (
            array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise ImageError(
            'an image must be a uint8 array [height, width, 3], or a tensor like it or '
            '[3, height, width], of uint8 or floats between 0 and 1, got '
            f'{image.dtype} of shape {list(image.shape)}')
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 1:
        array = array.repeat(3, axis=2)
    array = array[..., :3]
    return np.ascontiguousarray(array if channel_order == 'bgr' else array[..., ::-1])


def _of_tensor(image: torch.Tensor) -> np.ndarray:
    image = image.detach().cpu()
    if image.is_floating_point() and image.numel() and 0 <= image.min() <= image.max() <= 1:
        image = (image.float() * 255).round().to(torch.uint8)
    if image.ndim == 3 and image.shape[0] in (1, 3, 4):
        image = image.permute(1, 2, 0)
    return image.float().numpy() if image.dtype == torch.bfloat16 else image.numpy()


def check_channel_order(channel_order: str) -> None:
    """Raise a ValueError for an unknown order of colours."""
    if channel_order not in CHANNEL_ORDERS:
        raise ValueError(f"channel_order={channel_order!r}: choose 'bgr' or 'rgb'")
