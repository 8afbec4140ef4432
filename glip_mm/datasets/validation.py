"""Validation of whole ODVG files, in several processes."""

import hashlib
import os
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from glip_mm.image_decoding import decode_image, open_image, require_regular_file
from glip_mm.text.safe_json import load_json

from .data_paths import below
from .label_map import checked_label_map
from .odvg_rules import REMEDIES, Problem, RowCheck, check_row

_CHUNK = 1 << 24
_LONGEST_LINE = 1 << 26


class Fault(NamedTuple):
    """A fault of a file."""

    file: str
    line: int
    field: str
    cause: str
    message: str

    def __str__(self) -> str:
        return (f'{self.file}:{self.line}: {self.field}: {self.message} ({self.cause}; '
                f'remedy: {REMEDIES[self.cause]})')


@dataclass
class Validation:
    """Result of validating a file.

    Attributes:
        file: Path of the file.
        faults: First faults, in the order of their lines.
        causes: Cause -> number of all faults.
        counts: ``rows`` (a blank line is none), ``usable_rows``, ``boxes``, ``usable_boxes``,
            ``ignored_boxes``, ``phrases``, ``empty_rows`` (usable rows without a usable box),
            ``unchecked_rows`` (detection rows whose labels were not checked, for want of a label
            map).
        stopped: Whether the validation ended at the first fault.
    """

    file: str
    faults: list[Fault] = field(default_factory=list)
    causes: Counter = field(default_factory=Counter)
    counts: Counter = field(default_factory=Counter)
    stopped: bool = False

    @property
    def ok(self) -> bool:
        """Return whether there is no fault."""
        return not self.causes

    def summary(self) -> str:
        """Format the counts of faults and of usable entries."""
        c = self.counts
        lines = [f'{count} x {cause}' for cause, count in self.causes.most_common()]
        lines.append(
            f"{self.file}: {c['usable_rows']} of {c['rows']} rows usable ({c['empty_rows']} of "
            f"them without a usable box), {c['usable_boxes']} of {c['boxes']} boxes usable "
            f"({c['ignored_boxes']} of them to be ignored), {c['phrases']} phrases, "
            f"{sum(self.causes.values())} faults"
            + (' (stopped at the first)' if self.stopped else ''))
        if c['unchecked_rows']:
            lines.append(f"the labels of {c['unchecked_rows']} detection rows were not checked: "
                         'give their label map, without which they cannot be trained on')
        return '\n'.join(lines)


class _Part(NamedTuple):
    """Result of validating a part of a file; lines are counted from 1 in the part."""

    lines: int
    size: int
    faults: list[tuple[int, Problem]]
    causes: Counter
    counts: Counter
    keys: bytes


class _ImageCheck:
    """Check of a row's image; consecutive rows often share one, which is checked once."""

    def __init__(self, root: str, decode: bool) -> None:
        self.root, self.decode = root, decode
        self.last: tuple[str, tuple | None] | None = None

    def _look(self, name: str) -> tuple | None:
        try:
            path = below(self.root, name)
        except ValueError as error:
            return 'bad file name', str(error)
        if not os.path.isfile(path):  # not a pipe either, which would be waited for
            return 'missing image', f"'{path}' is not there"
        if not self.decode:
            return None
        try:
            require_regular_file(path)
            with open(path, 'rb') as file:
                content = file.read()
            decode_image(content, where=path)
            with open_image(content) as image:
                return image.size
        except Exception as error:  # decoders raise exceptions of any type
            return 'broken image', f"'{path}' cannot be decoded ({error})"

    def __call__(self, row: dict, check: RowCheck) -> None:
        name = row['filename']
        if self.last is None or self.last[0] != name:
            self.last = name, self._look(name)
        found = self.last[1]
        if found is None:
            return
        if isinstance(found[0], str):
            check.fatal('filename', *found)
        elif found != (row['width'], row['height']):
            check.fatal('width, height', 'size differs from the image',
                        f"{row['width']} x {row['height']} is written, but the image is "
                        f'{found[0]} x {found[1]}')


def _key(row: dict) -> int:
    """Hash the identity of a row to 64 bits: the image, with the caption if there is one."""
    text = row['filename']
    if 'grounding' in row:
        text += '\0' + row['grounding']['caption']
    content = text.encode(errors='surrogatepass')
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), 'little', signed=True)


def _lines(path: str, begin: int, end: int) -> Iterator[bytes]:
    """Iterate over the lines that start in ``[begin, end)``."""
    with open(path, 'rb') as file:
        if begin:
            file.seek(begin - 1)
            file.readline(_LONGEST_LINE)
        position = file.tell()
        while position < end:
            line = file.readline(_LONGEST_LINE)
            position += len(line)
            if len(line) == _LONGEST_LINE:
                raise ValueError(f"'{path}' has a line of more than {_LONGEST_LINE >> 20} MB: it "
                                 'is no file of JSON lines. Convert it first (see '
                                 'tools/dataset_converters)')
            yield line


def _check_part(begin: int, path: str, end: int, label_map: Mapping[int, str] | None,
                image_root: str | None, decode: bool, most: int) -> _Part:
    faults: list[tuple[int, Problem]] = []
    causes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    keys = array('q')
    look = _ImageCheck(image_root, decode) if image_root is not None else None
    end = min(end, begin + _CHUNK)
    number = 0
    for line in _lines(path, begin, end):
        number += 1
        key = 0
        if not line.strip():  # no row, as for all readers
            keys.append(key)
            continue
        counts['rows'] += 1
        try:
            row = load_json(line)
            check = check_row(row, label_map)
        except ValueError as error:
            check = RowCheck().fatal('line', 'not JSON', str(error))
        if check.record is not None:
            key = _key(check.record)
            if look is not None:
                look(check.record, check)
        keys.append(key)
        for problem in check.problems:
            causes[problem.cause] += 1
            if len(faults) < most:
                faults.append((number, problem))
        if label_map is None and check.record is not None and 'detection' in check.record:
            counts['unchecked_rows'] += 1
        counts['usable_rows'] += check.usable
        counts['boxes'] += check.boxes
        if check.usable:
            counts['usable_boxes'] += check.usable_boxes
            counts['ignored_boxes'] += check.ignored_boxes
            counts['phrases'] += check.phrases
            counts['empty_rows'] += not check.usable_boxes
    return _Part(number, end - begin, faults, causes, counts, keys.tobytes())


def _duplicates(keys: list[bytes]) -> list[tuple[int, int]]:
    """Return the line of each repeated row, and the line that it repeats."""
    content = b''.join(keys)
    if not content:
        return []
    every = np.frombuffer(content, np.int64)
    order = np.argsort(every, kind='stable')
    ordered = every[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    group = np.maximum.accumulate(np.where(starts, np.arange(len(every)), 0))
    again = np.flatnonzero(~starts & (ordered != 0))
    return sorted(zip((order[again] + 1).tolist(), (order[group[again]] + 1).tolist()))


def validate_odvg(file: str | Path, label_map: Mapping[int, str] | str | Path | None = None,
                  image_root: str | Path | None = None, check_images: bool = False,
                  strict: bool = False, max_errors: int = 50, allow_duplicates: bool = False,
                  workers: int = 1, progress: bool = True) -> Validation:
    """Validate an ODVG file.

    Args:
        file: Path of the JSON lines file.
        label_map: Label map of detection data, or its file; None leaves labels unchecked.
        image_root: Folder of the images, to check that each exists; None leaves them unchecked.
        check_images: Whether to decode every image and compare its size, too.
        strict: Whether to stop at the first fault.
        max_errors: Maximum number of faults that are kept; all are counted.
        allow_duplicates: Whether rows may be repeated.
        workers: Number of processes.
        progress: Show a progress bar.

    Returns:
        Faults and counts.

    Raises:
        ValueError: If the file is not JSON lines, or the label map is invalid.
        OSError: If the file cannot be read.
    """
    if check_images and image_root is None:
        raise ValueError('check_images needs image_root, the folder of the images')
    path = str(file)
    if label_map is not None and not isinstance(label_map, Mapping):
        label_map = checked_label_map(label_map)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"'{path}' is missing, or no regular file")
    size = os.path.getsize(path)
    result = Validation(path)
    task = partial(_check_part, path=path, end=size, label_map=label_map,
                   image_root=None if image_root is None else str(image_root),
                   decode=check_images, most=1 if strict else max_errors)
    begins = range(0, size, _CHUNK)
    keys: list[bytes] = []
    start = 0  # lines of the parts before
    workers = min(workers, len(begins)) or 1
    pool = ProcessPoolExecutor(workers) if workers > 1 else nullcontext()
    bar = tqdm(total=size, desc=f'checking {Path(path).name}', unit='B', unit_scale=True,
               disable=not progress, mininterval=0.5)
    with bar, pool as processes:
        for part in (processes.map if processes else map)(task, begins):
            _merge(result, part, start, max_errors)
            start += part.lines
            keys.append(part.keys)
            bar.update(part.size)
            if strict and result.causes:
                result.stopped = True
                if processes:
                    processes.shutdown(cancel_futures=True)
                break
    if not result.stopped and not allow_duplicates:
        _add_duplicates(result, keys, 1 if strict else max_errors)
    return result


def _merge(result: Validation, part: _Part, start: int, most: int) -> None:
    result.faults += [Fault(result.file, start + line, *problem)
                      for line, problem in part.faults[:most - len(result.faults)]]
    result.causes.update(part.causes)
    result.counts.update(part.counts)


def _add_duplicates(result: Validation, keys: list[bytes], most: int) -> None:
    found = _duplicates(keys)
    if found:
        result.causes['duplicate row'] += len(found)
        result.faults += [
            Fault(result.file, line, 'filename', 'duplicate row',
                  f'same image, and caption if there is one, as line {first}')
            for line, first in found[:most]]
        result.faults = sorted(result.faults, key=lambda fault: fault.line)[:most]
