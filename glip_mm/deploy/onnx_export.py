"""A fixed-vocabulary detector as an ONNX file."""

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from glip_mm.text.names import listed

from .detector import FixedVocabularyDetector
from .metadata import Metadata
from .onnx_nms import OUTPUTS, SHOWN, append_suppression
from .packages import require
from .suppression import Suppression

#: The first one has GridSample, the second LayerNormalization.
OPSET = 17
#: Of one file; larger ones would need a second file for the weights.
LARGEST = 2**31 - 1


def to_onnx(detector: FixedVocabularyDetector, metadata: Metadata, example: torch.Tensor) -> bytes:
    """Export to ONNX.

    PyTorch's tracing exporter is used: it needs no other package than onnx, runs with all
    supported versions of PyTorch, and leaves any image size open. Suppression is added to the
    graph afterwards.

    Args:
        detector: On the CPU.
        metadata: metadata of the file; ``nms`` and ``size`` are followed here.
        example: Any image ``[1, 3, h, w]``; of ``metadata.size`` if that is fixed.

    Returns:
        Content of the file.

    Raises:
        ImportError: If onnx is missing.
        ValueError: If the model does not fit into one file.
    """
    onnx = require('onnx')
    names = [f'candidate_{name}' if metadata.nms else name for name in OUTPUTS]
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # of constants that are no image size, and of the other exporter
        warnings.simplefilter('ignore')
        torch.onnx.export(
            detector, (example,), buffer,  # type: ignore[arg-type]  # a file is as good as a path
            opset_version=OPSET, input_names=['image'],
            output_names=names, **_legacy(),
            dynamic_axes={'image': {2: 'height', 3: 'width'}} if metadata.size is None else None)
    model = onnx.load_from_string(buffer.getvalue())
    share_equal_initializers(model.graph)
    if metadata.nms:
        with torch.no_grad():
            num_candidates = detector(example)[1].shape[1]
        append_suppression(model, names, detector.vocabulary.labels.numpy(), num_candidates,
                           Suppression(**metadata.suppression), metadata.takes_shown)
    model.producer_name, model.producer_version = 'glip_mm', metadata.version
    for key, value in metadata.to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    if model.ByteSize() > LARGEST:
        raise ValueError(f'the model takes {model.ByteSize() / 2**30:.1f} GiB and one ONNX file '
                         'holds 2: export it with --format torch-export')
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _legacy() -> dict[str, Any]:
    """Return the option that chooses the tracing exporter: not the default since PyTorch 2.9."""
    import inspect
    known = inspect.signature(torch.onnx.export).parameters
    return {'dynamo': False} if 'dynamo' in known else {}


def share_equal_initializers(graph: Any) -> None:
    """Keep one of each constant: the exporter folds a weight anew wherever it is used.

    Args:
        graph: An ONNX graph, changed in place.
    """
    first: dict[Any, str] = {}
    other: dict[str, str] = {}
    kept = []
    for tensor in graph.initializer:
        key = (tensor.data_type, tuple(tensor.dims), tensor.raw_data) if tensor.raw_data else None
        if key is None or key not in first:
            first[key] = tensor.name
            kept.append(tensor)
        else:
            other[tensor.name] = first[key]
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name in other:
                node.input[i] = other[name]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def session(content: Any, threads: int = 0, providers: Any = ('CPUExecutionProvider',)) -> Any:
    """Open an onnxruntime session.

    Args:
        content: Path or content of a file.
        threads: 0: as onnxruntime likes.
        providers: execution providers of onnxruntime; a string is one.

    Raises:
        ImportError: If onnxruntime is missing.
    """
    ort = require('onnxruntime')
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(content if isinstance(content, bytes) else str(content), options,
                                providers=listed(providers))


def run(session: Any, image: np.ndarray, shown: Sequence[int] | None = None) -> list:
    """Compute the outputs for an image ``[1, 3, h, w]``.

    Args:
        session: Session of a file.
        image: Its input.
        shown: Height and width of the image in it, for a file that takes them.
    """
    feed = {'image': np.ascontiguousarray(image, dtype=np.float32)}
    if shown is not None:
        feed[SHOWN] = np.asarray(shown, np.int64)
    return session.run(None, feed)
