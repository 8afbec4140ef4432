"""Masks of boxes, by a Segment Anything model of transformers."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from PIL import Image

#: A mask in run lengths, as pycocotools and COCO files have it: ``size`` and ``counts``.
RunLengths = dict[str, Any]


class Segmenter:
    """Segments what lies in boxes.

    Args:
        name: Folder or hub id of a SAM, such as ``'facebook/sam-vit-base'`` or
            ``'facebook/sam2.1-hiera-tiny'``.
        device: Device of the model.

    Raises:
        ValueError: If it can not be loaded.
    """

    def __init__(self, name: str | PathLike, device: str | torch.device = 'cpu') -> None:
        from transformers import AutoModelForMaskGeneration, AutoProcessor
        try:
            self.processor: Any = AutoProcessor.from_pretrained(name, trust_remote_code=False)
            model: Any = AutoModelForMaskGeneration.from_pretrained(
                name, trust_remote_code=False)
        except (ImportError, OSError, ValueError) as error:
            reason = ' '.join(str(error).split())[:200]
            raise ValueError(f"masks='{name}' is no SAM that can be loaded: {reason}") from error
        self.model = model.to(device).eval()

    @torch.no_grad()
    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> list[RunLengths]:
        """Segment boxes of an image.

        Args:
            image: ``[height, width, 3]`` uint8 RGB.
            boxes: ``[K, 4]`` xyxy, pixels.

        Returns:
            The mask of each box.
        """
        if not len(boxes):
            return []
        inputs = self.processor(images=Image.fromarray(image), input_boxes=[boxes.tolist()],
                                return_tensors='pt')
        sizes = [inputs.pop(key) for key in ('original_sizes', 'reshaped_input_sizes')
                 if key in inputs]
        found = self.model(**inputs.to(self.model.device), multimask_output=False)
        masks = self.processor.post_process_masks(found.pred_masks.float().cpu(), *sizes)[0]
        return encode_masks(masks[:, 0].numpy())


def encode_masks(masks: np.ndarray) -> list[RunLengths]:
    """Encode masks ``[K, height, width]`` in run lengths."""
    from pycocotools.mask import encode
    return [dict(size=list(rle['size']), counts=rle['counts'].decode())
            for rle in (encode(np.asfortranarray(mask, np.uint8)) for mask in masks)]


def decode_masks(segments: Sequence[RunLengths]) -> np.ndarray:
    """Decode run lengths to masks ``[K, height, width]`` bool."""
    from pycocotools.mask import decode
    if not segments:
        return np.zeros((0, 0, 0), bool)
    return np.stack([decode(dict(each, counts=each['counts'].encode())) for each in segments]
                    ).astype(bool)
