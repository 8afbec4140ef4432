"""A fixed-vocabulary detector as a program of ``torch.export``, or compiled ahead of time."""

import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from glip_mm.text.safe_json import load_json

from .detector import FixedVocabularyDetector
from .metadata import KEY, Metadata

#: Least height and width of a program that takes any size: below, the coarsest levels of the
#: pyramid become single cells, for which PyTorch would need a program of its own.
SMALLEST = 256


def to_program(detector: FixedVocabularyDetector, metadata: Metadata,
               example: torch.Tensor) -> torch.export.ExportedProgram:
    """Capture the detector.

    Args:
        detector: detector in evaluation mode.
        metadata: ``size`` is followed here.
        example: An image ``[1, 3, h, w]``; of ``metadata.size`` if that is fixed.
    """
    shapes = None
    if metadata.size is None:
        open_size = torch.export.Dim.DYNAMIC
        shapes = {'image': {2: open_size, 3: open_size}}
    with torch.no_grad():
        return torch.export.export(detector, (example,), dynamic_shapes=shapes, strict=False)


def to_pt2(program: torch.export.ExportedProgram, metadata: Metadata) -> bytes:
    """Serialise a program for ``torch.export.load``."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={KEY: json.dumps(metadata.to_strings())})
    return buffer.getvalue()


def load_pt2(content: bytes | str | Path) -> tuple[Callable, Metadata]:
    """Load callable and metadata of :func:`to_pt2`'s content or of a file."""
    extra = {KEY: ''}
    source = io.BytesIO(content) if isinstance(content, bytes) else str(content)
    program = torch.export.load(source, extra_files=extra)
    return program.module(), Metadata.from_strings(load_json(extra[KEY]))


def to_aot(program: torch.export.ExportedProgram, metadata: Metadata) -> bytes:
    """Compile a program to machine code, for ``torch._inductor.aoti_load_package``."""
    import torch._inductor as inductor
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'model.pt2')
        path = inductor.aoti_compile_and_package(
            program, package_path=path,
            inductor_configs={'aot_inductor.metadata': metadata.to_strings()})
        return Path(path).read_bytes()


def load_aot(content: bytes | str | Path) -> tuple[Callable, Metadata]:
    """Load callable and metadata of :func:`to_aot`'s content or of a file."""
    from torch._inductor import aoti_load_package
    if not isinstance(content, bytes):
        package = aoti_load_package(str(content))
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'model.pt2')
            path.write_bytes(content)
            package = aoti_load_package(str(path))
    return package, Metadata.from_strings(package.get_metadata())
