"""Result files of a shard."""

from contextlib import AbstractContextManager
from pathlib import Path

from glip_mm.file_lock import exclusive
from glip_mm.text.safe_json import load_json

#: Cause of the reject that stands for the part of a shard which cannot be read.
BROKEN_SHARD = 'broken shard'


def recording(folder: Path) -> AbstractContextManager[bool]:
    """Wait until no other process writes the files that all shards of a run have in common."""
    return exclusive(folder / 'claims' / '.source')  # beside the claims, which are locks as well


class ShardFiles:
    """Result files of a shard.

    Args:
        folder: Folder of the run.
        name: Name of the shard.
        is_tar: Whether the labels are a tar shard.
    """

    def __init__(self, folder: Path, name: str, is_tar: bool) -> None:
        suffix = 'tar' if is_tar else 'jsonl'
        #: File of the labels, written last: it marks the shard as done.
        self.labels = folder / 'labels' / f'{name}.{suffix}'
        self.rejects = folder / 'rejects' / f'{name}.jsonl'
        self.claim = folder / 'claims' / name

    def broken(self) -> str:
        """Return why the shard was not read to its end; empty if it was."""
        rejects = self.rejects.read_bytes().splitlines()
        last = load_json(rejects[-1]) if rejects else {}
        return last['detail'] if last.get('cause') == BROKEN_SHARD else ''
