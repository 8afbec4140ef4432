"""Files that are complete or absent."""

import os
from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend


@register_backend('atomic', force=True)
class AtomicBackend(LocalBackend):
    """MMEngine's local files, written under another name and renamed when complete.

    For ``CheckpointHook(backend_args=dict(backend='atomic'))``: a training that is killed while it
    saves, or whose disk is full, keeps the checkpoints it had.
    """

    def put(self, obj: Union[bytes, memoryview], filepath: Union[str, Path]) -> None:
        """Write bytes.

        Raises:
            OSError: If they cannot be written; the old file, if any, is as it was.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f'.{path.name}.partial')
        try:
            with open(partial, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise OSError(error.errno, f"'{path}' could not be saved ({error.strerror}); earlier "
                          'checkpoints are complete: make room and resume') from error
