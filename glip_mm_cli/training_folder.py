"""Where a training goes on: the newest complete checkpoint of its folder.

Example:
    python -m glip_mm_cli.training_folder work_dirs/quickstart
"""

import re
import sys
import zipfile
from pathlib import Path

_NUMBERED = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


def newest_checkpoint(folder: str | Path) -> str | None:
    """Find the newest complete checkpoint of a training.

    ``last_checkpoint`` is no more than a hint: a process that is killed can leave it empty, or with
    the name of a file that is not there.

    Args:
        folder: Work directory of the training.

    Returns:
        Its path; None if there is none. Incomplete ones are named on stderr.
    """
    folder = Path(folder)
    found = _hint(folder) | {
        p for p in folder.glob('*.pth') if _NUMBERED.fullmatch(p.name) and p.exists()}
    for path in sorted(found, key=_age, reverse=True):
        if is_complete(path):
            return str(path)
        print(f"WARNING: '{path}' is incomplete and passed over", file=sys.stderr)
    return None


def is_complete(path: Path) -> bool:
    """Return whether a checkpoint was written to its end.

    DeepSpeed's are folders, of which every file must be complete.
    """
    if path.is_dir():
        files = list(path.glob('*.pt'))
        return bool(files) and all(map(is_complete, files))
    # the directory is the end of a zip file: a truncated one has none
    return path.is_file() and zipfile.is_zipfile(path)


def _hint(folder: Path) -> set[Path]:
    """Read ``last_checkpoint``, which alone knows of checkpoints of other names and folders."""
    if not (folder / 'last_checkpoint').is_file():  # nor a pipe
        return set()
    try:
        named = (folder / 'last_checkpoint').read_text(encoding='utf-8').strip()
        # a folder that was moved still holds the files of its own
        places = [folder / Path(named).name, Path(named)] if named else []
        return set([path for path in places if path.exists()][:1])
    except (OSError, ValueError):
        return set()


def _age(path: Path) -> tuple[int, int]:
    number = _NUMBERED.fullmatch(path.name)
    # where files were copied all are of the same age
    return path.stat().st_mtime_ns, int(number[1]) if number else 0


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit('usage: python -m glip_mm_cli.training_folder FOLDER')
    newest = newest_checkpoint(sys.argv[1])
    if newest is None:
        sys.exit(f"'{sys.argv[1]}' holds no complete checkpoint: run the training again")
    print(newest)
