"""Export in one call: encode, convert, compare, write."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger

from glip_mm.atomic_files import write_atomically
from glip_mm.models import GLIP
from glip_mm.ops.fast_paths import plain
from glip_mm.text import Prompt

from .checking import Difference, check, drawn_image
from .detector import FixedVocabularyDetector
from .metadata import Metadata
from .onnx_export import run, session, to_onnx
from .resizing import fit, pad
from .suppression import Suppression, suppress
from .torch_export import SMALLEST, load_aot, load_pt2, to_aot, to_program, to_pt2

FORMATS = ('onnx', 'torch-export', 'aot')
#: Images of other sizes that an export of any size is compared on.
OTHER_SIZES = ((288, 416), (448, 256))


def export(model: GLIP, prompt: Prompt, path: str | Path, format: str = 'onnx',
           size: tuple[int, int] = (800, 1344), dynamic: bool = False, nms: bool = False,
           normalize: bool = True, rgb: bool = False, compare: bool = True,
           images: Sequence[np.ndarray] = (), **described: Any) -> list[Difference]:
    """Write a detector of a fixed vocabulary to a file, after comparing it with the original.

    Args:
        model: A trained detector, on the CPU.
        prompt: classes or caption to look for.
        path: The file.
        format: One of ``FORMATS``.
        size: Height and width of the input.
        dynamic: the input may have any size; ``size`` is then an example.
        nms: NMS is part of the model; only for ONNX. Else candidates are the output, see
            :func:`suppress`.
        normalize: the input is raw pixels (0 to 255), normalised inside.
        rgb: the input is RGB instead of BGR.
        compare: the export is compared with the original, and not written if it differs.
        images: images to compare on, ``[h, w, 3]`` uint8 BGR, of any size; default: a drawn one.
        described: Further fields of :class:`Metadata`: ``model_name``, ``resize``, ``decoder``,
            ``color_type``.

    Returns:
        The differences; empty without comparison.

    Raises:
        ExportMismatch: If the export finds something else.
        ImportError: If a package for the format is missing.
        ValueError: If options do not go together.
    """
    if format not in FORMATS:
        raise ValueError(f"format='{format}' is unknown: choose one of {', '.join(FORMATS)}")
    if nms and format != 'onnx':
        raise ValueError(f"nms=True goes with format='onnx' alone, not '{format}': that program "
                         'gives candidates, of which glip_mm.deploy.suppress makes detections')
    if min(size) < 32:
        raise ValueError(f'size={tuple(size)} is too small: give height and width of at least 32')
    rule = Suppression.of(model)
    detector = FixedVocabularyDetector(model, prompt, normalize, rgb).eval()
    smallest = SMALLEST if dynamic and format != 'onnx' else 1
    metadata = Metadata.of(detector, rule, nms=nms, smallest=smallest,
                           takes_shown=nms and not dynamic,
                           size=None if dynamic else tuple(size), **described)
    if dynamic and min(size) <= SMALLEST:
        size = (SMALLEST * 2, SMALLEST * 2 + 96)  # sizes of 1 in the example would be frozen
    example = torch.zeros(1, 3, *size)
    with plain('all'):  # the fast paths are this machine's; runtimes have their own
        content = _convert(format, detector, metadata, example)
    differences: list[Difference] = []
    if compare:
        inputs = [fit(image, metadata) for image in images] or [_whole(drawn_image(size))]
        if dynamic:
            inputs += [_whole(drawn_image(other, seed=1)) for other in OTHER_SIZES]
        else:
            inputs.append(pad(drawn_image((size[0] * 3 // 4, size[1] // 2), seed=1), metadata))
        forward = _runner(format, content)

        def detect(image: np.ndarray, shown: tuple[int, int]) -> Sequence[torch.Tensor]:
            boxes, scores, labels = map(torch.as_tensor, forward(
                image, shown if metadata.takes_shown else None))
            return (boxes, scores, labels) if nms else suppress(boxes, scores, labels, rule, shown)

        differences = check(model, prompt, metadata, detect, inputs)
        if not any(difference.count for difference in differences):
            warn('nothing is found in the images of the comparison, which therefore proves little: '
                 'give one that shows something (--check IMAGE)')
    write_atomically(path, content)
    return differences


def warn(message: str) -> None:
    """Log a warning."""
    MMLogger.get_current_instance().warning(message)


def _convert(format: str, detector: FixedVocabularyDetector, metadata: Metadata,
             example: torch.Tensor) -> bytes:
    if format == 'onnx':
        return to_onnx(detector, metadata, example)
    program = to_program(detector, metadata, example)
    return to_aot(program, metadata) if format == 'aot' else to_pt2(program, metadata)


def _whole(image: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    return image, (image.shape[0], image.shape[1])


def _runner(format: str, content: bytes) -> Callable[..., Sequence[Any]]:
    """Load the very bytes that will be written, as a function from inputs to outputs."""
    if format == 'onnx':
        loaded = session(content)
        return lambda image, shown: run(loaded, image, shown)
    program, _ = load_aot(content) if format == 'aot' else load_pt2(content)
    return lambda image, shown: program(torch.from_numpy(image))
