"""Predictions of a test on disk: atomic parts, read in the data set's order."""

import io
import json
import math
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glip_mm.atomic_files import remove_temporary, write_atomically
from glip_mm.datasets.data_error import read_json
from glip_mm.limits import EXPANSION
from glip_mm.text.safe_json import load_json

from .stored_values import decode, encode

_PART = re.compile(r'part-(\d+)-(\d+)\.npz')
#: Arrays of a part, each with the rows of all its images: dtype and last dimension.
_COLUMNS = {'bboxes': (np.float32, 4), 'scores': (np.float32, None), 'labels': (np.int32, None)}
_TRUTH = {'gt_bboxes': (np.float32, 4), 'gt_labels': (np.int64, None)}


class Prediction(NamedTuple):
    """Predictions of a model in an image."""

    #: Index in the test data set.
    index: int  # type: ignore[assignment]  # hides tuple.index
    img_id: int | str
    img_path: str
    #: Height and width of the original image.
    ori_shape: tuple[int, int]
    #: float32 ``[n, 4]``, xyxy half open, pixels of the original image.
    bboxes: np.ndarray
    #: float32 ``[n]``.
    scores: np.ndarray
    #: int32 ``[n]``: index in the classes of the data set, or in ``names``.
    labels: np.ndarray
    #: Names of labels if these are not the classes of the data set: phrases.
    names: tuple[str, ...] | None = None
    #: Further fields of the data sample that metrics need.
    meta: Mapping[str, Any] | None = None
    #: Boxes and labels of the sample's ``gt_instances``, if it has any.
    gt_bboxes: np.ndarray | None = None
    gt_labels: np.ndarray | None = None


class PredictionWriter:
    """Writer of parts, each atomically: a killed process loses only what was not flushed.

    Args:
        folder: Folder of the parts; created if missing.
        meta: Content of ``meta.json``; ``None`` does not write the file, for all processes but the
            first.
        rank: Rank of the process among those that write into the folder.
        key: Text that all parts of a run share, and no other run has.
    """

    def __init__(self, folder: str | Path, meta: Mapping[str, Any] | None, rank: int = 0,
                 key: str = '') -> None:
        self.folder, self.rank, self.key = Path(folder), rank, key
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_temporary(self.folder, rf'part-{rank}-\d+\.npz')
        if meta is not None:
            write_atomically(self.folder / 'meta.json', json.dumps(dict(meta), indent=1).encode())
        numbers = [n for r, n, _ in _parts(self.folder) if r == rank]
        self.number = max(numbers, default=-1) + 1
        self.waiting: list[Prediction] = []

    def add(self, prediction: Prediction) -> None:
        """Add an image's predictions to the next part.

        Raises:
            ValueError: If boxes, scores and labels differ in number, or are NaN or infinite.
        """
        counts = [len(getattr(prediction, k)) for k in _COLUMNS]
        if len(set(counts)) > 1:
            raise ValueError(f"image {prediction.img_id} ('{prediction.img_path}') has {counts[0]} "
                             f'boxes, {counts[1]} scores and {counts[2]} labels')
        if not (np.isfinite(prediction.bboxes).all() and np.isfinite(prediction.scores).all()):
            raise ValueError(f"boxes or scores of image {prediction.img_id} "
                             f"('{prediction.img_path}') are NaN or infinite: with float16 take "
                             'bfloat16 or float32, else look at the weights')
        self.waiting.append(prediction)

    def flush(self) -> None:
        """Write all predictions since the last part as a new part."""
        if not self.waiting:
            return
        rows, texts = self.waiting, _Texts()
        arrays: dict[str, np.ndarray] = {'index': np.array([p.index for p in rows], np.int64)}
        for name, (dtype, width) in (_COLUMNS | _TRUTH).items():
            empty = np.zeros((0, width) if width else 0, dtype)
            values = [np.asarray(v, dtype).reshape((-1, *empty.shape[1:]))
                      for v in (getattr(p, name) for p in rows) if v is not None]
            arrays[name] = np.concatenate([empty, *values])
        arrays['key'] = np.frombuffer(self.key.encode(), np.uint8)
        arrays['counts'] = np.array([len(p.scores) for p in rows], np.int64)
        # -1: the ground truth is unknown, which differs from an image without objects
        arrays['gt_counts'] = np.array(
            [-1 if p.gt_labels is None else len(p.gt_labels) for p in rows], np.int64)
        records = [
            [texts.add(p.img_id), texts.add(p.img_path), texts.add(tuple(p.ori_shape)),
             texts.add(p.names), {k: n for k, n in texts.add_all(p.meta or {})}] for p in rows]
        content = json.dumps(dict(records=records, texts=list(texts.numbers))).encode()
        arrays['records'] = np.frombuffer(content, np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
        write_atomically(self.folder / f'part-{self.rank}-{self.number:06d}.npz',
                         buffer.getvalue())
        self.number += 1
        self.waiting = []

    def close(self) -> None:
        """Write the last part."""
        self.flush()


class PredictionStore:
    """Reader of predictions in the order of the data set, with few parts in memory.

    An image in two parts (of a test that was resumed with another number of processes) is returned
    once.

    Args:
        folder: Folder ``predictions`` of a work directory.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a part is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / 'meta.json').is_file():
            wrong = 'is a file' if self.folder.is_file() else 'has no meta.json'
            raise FileNotFoundError(f"'{folder}' {wrong}: it holds no predictions of tools/test.py")
        self.meta = _read_meta(self.folder / 'meta.json')
        #: Part -> key of the run that wrote it.
        self.keys: dict[Path, str] = {}
        self._places: dict[int, tuple[Path, int]] = {}
        parts = _parts(self.folder)
        for _, _, path in parts:
            with _damage_named(path), _reading(path) as content:
                indices = content['index'].tolist()
                if not all(type(index) is int and index >= 0 for index in indices):
                    raise ValueError('positions of images must be integers from 0 on')
                self.keys[path] = content['key'].tobytes().decode() if 'key' in content else ''
            for row, index in enumerate(indices):
                self._places.setdefault(index, (path, row))
        # one part per process that wrote: their images alternate
        self._keep = 2 * len({rank for rank, _, _ in parts}) + 1
        self._open: OrderedDict[Path, _Part] = OrderedDict()

    @property
    def done(self) -> set[int]:
        """Return the indices of the images that are stored."""
        return set(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Prediction]:
        for index in sorted(self._places):
            yield self[index]

    def __getitem__(self, index: int) -> Prediction:
        """Return the prediction of an image, by its index in the data set."""
        path, row = self._places[index]
        if path not in self._open:
            with _damage_named(path):
                self._open[path] = _Part(path)
            while len(self._open) > self._keep:
                self._open.popitem(last=False)
        self._open.move_to_end(path)
        with _damage_named(path):
            return self._open[path].read(row)


class _Part:
    """A part in memory."""

    def __init__(self, path: Path) -> None:
        with _reading(path) as content:
            self.arrays = {k: content[k] for k in content.files}
        text = load_json(self.arrays.pop('records').tobytes())
        self.records, self.values = text['records'], [decode(t) for t in text['texts']]
        self.ends = np.cumsum(self.arrays['counts'])
        self.truth_ends = np.cumsum(np.maximum(self.arrays['gt_counts'], 0))
        self._check()

    def _check(self) -> None:
        """Raise a ValueError if arrays do not fit together."""
        rows = {len(self.arrays[k]) for k in ('index', 'counts', 'gt_counts')} | {len(self.records)}
        if len(rows) > 1 or self.arrays['counts'].min(initial=0) < 0:
            raise ValueError('its images do not have one entry each')
        places = self.arrays['index']
        if places.dtype != np.int64 or places.min(initial=0) < 0 or places.max(initial=0) >> 31:
            raise ValueError('index is no positions in a data set')
        for columns, ends in ((_COLUMNS, self.ends), (_TRUTH, self.truth_ends)):
            for name, (dtype, width) in columns.items():
                values = self.arrays[name]
                shape = (int(ends[-1]) if len(ends) else 0, *((width, ) if width else ()))
                if values.shape != shape or values.dtype != dtype:
                    raise ValueError(f'{name} is {values.dtype} of shape {values.shape}, and not '
                                     f'{np.dtype(dtype)} of shape {shape}')
        if not all(np.isfinite(self.arrays[name]).all() for name in ('bboxes', 'scores')):
            raise ValueError('boxes or scores are NaN or infinite')
        if self.arrays['labels'].min(initial=0) < 0:
            raise ValueError('labels are negative')

    def read(self, row: int) -> Prediction:
        img_id, path, shape, names, meta = self.records[row]
        a, v = self.arrays, self.values
        mine = slice(self.ends[row] - a['counts'][row], self.ends[row])
        known = a['gt_counts'][row]
        truth = slice(self.truth_ends[row] - max(known, 0), self.truth_ends[row])
        bboxes, scores, labels = (a[k][mine].copy() for k in _COLUMNS)
        gt_bboxes, gt_labels = (a[k][truth].copy() if known >= 0 else None for k in _TRUTH)
        return Prediction(
            int(a['index'][row]), v[img_id], v[path], v[shape], bboxes, scores, labels, v[names],
            {k: v[n] for k, n in meta.items()}, gt_bboxes, gt_labels)


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open a part, unless it stands for more than it holds."""
    # parts are not compressed: one that grows when it is read is none of ours
    size = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        claimed = sum(member.file_size for member in archive.infolist())
    if claimed > EXPANSION.value * size:
        raise ValueError(f'its {size:,} bytes stand for {claimed:,}, more times their number than '
                         f'{EXPANSION}')
    with np.load(path) as content:
        for name in content.files:
            _check_size(content.zip, name)
        yield content


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse an array whose header says more than its file holds: NumPy would reserve it all."""
    member = archive.getinfo(f'{name}.npy')
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        shape, _, dtype = (np.lib.format.read_array_header_1_0(file) if version == (1, 0) else
                           np.lib.format.read_array_header_2_0(file))
    if math.prod(shape) * dtype.itemsize > member.file_size:
        raise ValueError(f"'{name}' says that it has {math.prod(shape):,} values in "
                         f'{member.file_size:,} bytes')


class _Texts:
    """Values as text, each stored once: thousands of images repeat the same class names."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def add(self, value: Any) -> int:
        return self.numbers.setdefault(encode(value), len(self.numbers))

    def add_all(self, values: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
        for key, value in values.items():
            try:
                yield key, self.add(value)
            except TypeError:  # a prompt, a mask: no metric reads it
                continue


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn whatever reading of a part raises into an error that names the file."""
    try:
        yield
    except Exception as error:  # NumPy, zipfile, zlib and JSON have their own
        if isinstance(error, MemoryError) or isinstance(error, OSError) and error.errno is not None:
            raise  # of the system: the file may be sound
        raise ValueError(f"'{path}' is damaged ({' '.join(str(error).split()) or repr(error)}): "
                         'delete it and run the same test again; only its images are predicted '
                         'again') from error


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = read_json(path)
        if not isinstance(meta, dict) or not isinstance(meta.get('fingerprint', {}), dict):
            raise ValueError(f'it holds {str(meta)[:60]}')
        if type(meta.get('num_images', 0)) is not int:
            raise ValueError(f"num_images is {meta['num_images']!a:.60}")
        if not all(isinstance(facts, dict) and type(facts.get('num_images')) is int
                   for facts in meta.get('datasets', ())):
            raise ValueError(f"datasets is {meta['datasets']!a:.60}")
        return meta
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{path}' is damaged ({error}): delete the folder '{path.parent}' and "
                         'run the test again') from error


def _parts(folder: Path) -> list[tuple[int, int, Path]]:
    """Return rank, number and path of every part."""
    found = ((_PART.fullmatch(p.name), p) for p in folder.iterdir() if p.is_file())
    return sorted((int(m[1]), int(m[2]), p) for m, p in found if m)
