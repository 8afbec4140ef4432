"""File backend whose files are complete or absent."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from glip_mm.atomic_files import write_atomically


@register_backend('atomic', force=True)
class AtomicBackend(LocalBackend):
    """MMEngine's local backend with atomic writes: a temporary file is renamed when complete.

    For ``CheckpointHook(backend_args=dict(backend='atomic'))``: a training that is killed while
    saving, or whose disk is full, keeps its earlier checkpoints.
    """

    def put(self, obj: bytes | memoryview, filepath: str | Path) -> None:
        """Write bytes to a file.

        Raises:
            OSError: If they cannot be written; an existing file stays unchanged.
        """
        try:
            write_atomically(filepath, obj)
        except OSError as error:
            raise OSError(
                error.errno, f"'{filepath}' could not be saved ({error.strerror}); earlier "
                'checkpoints are complete: make room and resume') from error
