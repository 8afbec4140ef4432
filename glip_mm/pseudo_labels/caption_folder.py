"""Folders of images, with or without a caption file beside each, listed once."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glip_mm.image_suffixes import is_image

from .caption_rows import CaptionRows, Start
from .sample import Sample

_CAPTION_SUFFIX = '.txt'


class FolderList:
    """Walk over a folder, with the folders in it and those that links lead to.

    Args:
        folder: Path of the folder.
        captions: Whether images have caption files; otherwise text files are not looked at.
    """

    def __init__(self, folder: Path, captions: bool = True) -> None:
        self.folder, self.captions = folder, captions
        self._digest = hashlib.blake2b(digest_size=16)
        self._count = 0
        #: What is no image with or without a caption -> number of files; complete after the walk.
        self.left_out: Counter[str] = Counter()

    def lines(self) -> Iterator[bytes]:
        """Iterate over images in order of name, as lines of JSON: image and caption file."""
        for image, caption in self._walk(str(self.folder), '', frozenset()):
            self._count += 1
            yield json.dumps([image, caption]).encode() + b'\n'

    def facts(self) -> dict[str, Any]:
        """Return number and digest of names, sizes and times of all files, after the walk."""
        return dict(files=self._count, digest=self._digest.hexdigest())

    def _walk(self, folder: str, prefix: str, parents: frozenset
              ) -> Iterator[tuple[str, str | None]]:
        found = os.stat(folder)
        identity = found.st_dev, found.st_ino
        if identity in parents:
            self.left_out['links to a folder above'] += 1
            return
        with os.scandir(folder) as entries:
            files = {entry.name: entry for entry in entries}
        stems = {name: os.path.splitext(name) for name in files}
        captions = {stem: name for name, (stem, suffix) in stems.items()
                    if self._is_caption(name, suffix) and not _is_folder(files[name])}
        used = set()
        alone = 0
        for name in sorted(files):
            stem, suffix = stems[name]
            if _is_folder(files[name]):
                yield from self._walk(files[name].path, f'{prefix}{name}/', parents | {identity})
            elif is_image(name):
                caption = captions.get(stem)
                self._add(prefix, files[name])
                if caption is not None:
                    used.add(caption)
                    self._add(prefix, files[caption])
                yield prefix + name, caption and prefix + caption
            elif self._is_caption(name, suffix):
                alone += 1
            else:
                self.left_out[f'{suffix.lower() or "other"} files'] += 1
        if alone > len(used):
            self.left_out['captions without an image'] += alone - len(used)

    def _is_caption(self, name: str, suffix: str) -> bool:
        # macOS writes ._NAME beside NAME on foreign disks
        return self.captions and suffix.lower() == _CAPTION_SUFFIX and not name.startswith('._')

    def _add(self, prefix: str, entry: os.DirEntry) -> None:
        try:
            found = entry.stat()
            facts = found.st_size, found.st_mtime_ns
        except OSError:  # a link that leads nowhere
            facts = -1, 0
        self._digest.update(f'{prefix}{entry.name}\0{facts}'.encode(errors='surrogateescape'))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


@dataclass(frozen=True)
class ListedFolder(CaptionRows):
    """Images of a folder, by the lines of its list."""

    @classmethod
    def from_file(cls, path: Path, images: Path, captions: bool = True) -> 'ListedFolder':
        """Open a list that :meth:`FolderList.lines` gave."""
        return cls(path, images, None, (), Start(0, 1, 0), captions)

    def _sample(self, where: Start, record: Any) -> Sample:
        name, caption = json.loads(record)
        sample = Sample(name, None, self.images / name, {})
        if not self.captions:
            return sample
        if caption is None:
            return sample._replace(fault='no caption')
        if (self.images / caption).exists() and not (self.images / caption).is_file():
            return sample._replace(fault='broken caption', detail=f'{caption}: it is no file')
        try:
            text = (self.images / caption).read_text(encoding='utf-8-sig').strip()
        except FileNotFoundError:  # a link that leads nowhere
            return sample._replace(fault='no caption', detail=f'{caption}: it is gone')
        except UnicodeDecodeError as error:
            return sample._replace(fault='broken caption', detail=f'{caption}: {error}')
        if '\0' in text:
            return sample._replace(fault='broken caption', detail=f'{caption}: a NUL byte')
        return sample._replace(caption=text, fault='' if text else 'no caption')
