"""Inference on images with an exported model."""

from collections.abc import Sequence
from functools import partial
from os import PathLike, fspath

from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.deploy import ONNXDetector
from glip_mm.registry import SCOPE

from .images import ImagePipeline
from .inputs import Input, list_images
from .result import GroundingResult
from .results import Results


class ONNXInferencer:
    """Counterpart of :class:`GLIPInferencer` for a file written by ``tools/export.py``.

    Args:
        path: Path of the exported file.
        threads: Number of threads; 0: onnxruntime's default.
        providers: Execution providers of onnxruntime, such as ``['CUDAExecutionProvider']``.

    Raises:
        ImportError: If onnxruntime is missing.
        ValueError: If the file was not made by ``tools/export.py``.

    Example:
        >>> inferencer = ONNXInferencer('pets.onnx')
        >>> inferencer('kitchen.jpg')['predictions'][0].select(0.5).names
        ['cat', 'dog']
    """

    def __init__(self, path: str | PathLike, threads: int = 0,
                 providers: Sequence[str] = ('CPUExecutionProvider',)) -> None:
        self.detector = ONNXDetector(fspath(path), threads, providers)
        metadata = self.detector.metadata
        loader = dict(type='LoadImage', imdecode_backend=metadata.decoder,
                      color_type=metadata.color_type)
        with DefaultScope.overwrite_default_scope(SCOPE):
            self.pipeline = ImagePipeline(
                Config(dict(test_dataloader=dict(dataset=dict(pipeline=[loader])))))

    def __call__(self, inputs: Input | Sequence[Input]) -> Results:
        """Detect the exported vocabulary in images.

        Args:
            inputs: See :func:`.inputs.list_images`; arrays and tensors are BGR.

        Returns:
            A :class:`GroundingResult` for each image, in order.

        Raises:
            FileNotFoundError: If an image does not exist.
            ImageError: If one can't be decoded.
        """
        results = []
        for index, image in enumerate(list_images(inputs)):
            loaded = self.pipeline.load(image, index)
            height, width = loaded['img'].shape[:2]
            results.append(GroundingResult(*self.detector(loaded['img']), None,
                                           loaded['img_path'], (width, height),
                                           read=partial(self.pipeline.rgb, image)))
        return Results(results)
