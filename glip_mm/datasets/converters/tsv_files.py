"""TSV bundles on disk: files of rows with an offset index, listed in a YAML file."""

from pathlib import Path

import numpy as np
import yaml

from glip_mm.datasets.data_error import DataError, read_json, read_text
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.odvg_rules import is_count
from glip_mm.text.safe_yaml import load_yaml

KEYS = ('img', 'label', 'hw', 'linelist', 'imageid2idx', 'labelmap', 'jsondict')


class RowFile:
    """Random access to the rows of a TSV file.

    The offsets come from ``X.lineidx`` beside ``X.tsv``; if it is missing or does not match, the
    file is scanned once.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = open(self.path, 'rb')
        index = self._read_index()
        self.offsets = self._scan() if index is None else index

    def __len__(self) -> int:
        return len(self.offsets)

    def row(self, number: int) -> list[str]:
        """Return the cells of a row, without surrounding blanks.

        Raises:
            IndexError: If there is no such row.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"'{self.path}' has no row {number}: it has {len(self)}")
        self._file.seek(self.offsets[number])
        line = self._file.readline().decode('utf-8' if number else 'utf-8-sig')
        return [cell.strip() for cell in line.rstrip('\n').split('\t')]

    def last_cell(self, number: int) -> tuple[str, int, int]:
        """Locate the last cell of a row without reading it.

        Args:
            number: Number of the row, whose other cells have at most 4 KiB together.

        Returns:
            The row's first cell, and offset and length in bytes of the last one.
        """
        start = int(self.offsets[number])
        end = (int(self.offsets[number + 1]) if number + 1 < len(self)
               else self.path.stat().st_size)
        self._file.seek(start)
        head = self._file.read(min(4096, end - start))
        skipped = head.rfind(b'\t') + 1
        return (head.split(b'\t', 1)[0].decode('utf-8-sig').strip(), start + skipped,
                end - start - skipped)

    def read(self, offset: int, length: int) -> bytes:
        """Read bytes of the file."""
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read_index(self) -> np.ndarray | None:
        """Read the offset index; None if it is missing or does not match the file."""
        index = self.path.with_suffix('.lineidx')
        if not index.is_file():
            return None
        try:
            offsets = np.asarray(index.read_bytes().split(), np.int64)
        except ValueError:
            return None
        size = self.path.stat().st_size
        if (not len(offsets) or offsets[0] != 0 or offsets[-1] >= size
                or (np.diff(offsets) <= 0).any()):
            return None
        for offset in offsets[[len(offsets) // 2, -1]].tolist():
            self._file.seek(max(offset - 1, 0))
            if offset and self._file.read(1) != b'\n':
                return None
        self._file.seek(offsets[-1])
        self._file.readline()
        return offsets if self._file.tell() == size else None

    def _scan(self) -> np.ndarray:
        starts, position = [0], 0
        self._file.seek(0)
        for line in self._file:
            position += len(line)
            starts.append(position)
        return np.asarray(starts[:-1], np.int64)


def _label_map(path: Path) -> dict[int, str]:
    """Read index -> name in the file's own numbering, without ``__background__``."""
    text = read_text(path)
    if text.lstrip()[:1] in ('{', '['):
        content = read_json(path)
    else:
        names = [line.split('\t')[0].strip() for line in text.splitlines() if line.strip()]
        content = {name: i for i, name in enumerate(names, 1)}
    if isinstance(content, dict) and isinstance(content.get('label_to_idx'), dict):
        content = content['label_to_idx']
    if not isinstance(content, dict) or not all(map(is_count, content.values())):
        raise DataError(f"'{path}' is no label map: it must be {{name: index}}, with or without "
                         "'label_to_idx' around it, or one name a line")
    return {i: name for name, i in sorted(content.items(), key=lambda item: item[1])
            if name != '__background__'}


def read_row_numbers(path: Path) -> dict[str, int]:
    """Read ``{image id: row}``.

    Raises:
        DataError: If it is anything else.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(map(is_count, content.values())):
        raise DataError(f"'{path}' (imageid2idx) must be {{image id: row number}}, got "
                        f'{str(content)[:80]}')
    return content


class TSVBundle:
    """Files listed in a bundle's YAML file.

    Attributes:
        folder: Folder for relative names that do not exist as given.
        paths: Key of the YAML file -> path.
        labels: Class name -> label, 0, 1, ... in the order of the published indices; None for
            caption data.
        label_map: Label -> class name; None for caption data.
    """

    def __init__(self, yaml_file: str | Path) -> None:
        """Read the YAML file.

        Raises:
            ValueError: If it is no mapping or has no ``label``.
            FileNotFoundError: If a file it names is missing; image files are not looked for.
        """
        self.yaml_file = Path(yaml_file)
        self.folder = self.yaml_file.parent
        try:
            content = load_yaml(read_text(self.yaml_file))
        except yaml.YAMLError as error:
            raise DataError(f"'{yaml_file}' is no YAML: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict) or not content.get('label'):
            raise ValueError(f"'{yaml_file}' names no 'label' file: it must map {list(KEYS)} to "
                             'files, and label is needed')
        self.paths = {key: self._find(key, content[key]) for key in KEYS if content.get(key)}
        names = self.paths.get('labelmap') or self.paths.get('jsondict')
        self.labels: dict[str, int] | None = None
        self.label_map: dict[int, str] | None = None
        if names:
            self.label_map = dict(enumerate(_label_map(names).values()))
            self.labels = {name: label for label, name in self.label_map.items()}

    def _find(self, key: str, name: object) -> Path:
        try:
            as_is, beside = (Path(below(root, str(name))) for root in ('.', self.folder))
        except ValueError as error:
            raise DataError(f"'{self.yaml_file}': {key}: {error}") from None
        for path in (as_is, beside):
            if path.is_file():
                return path
        if key == 'img':
            return beside  # images may be separate files
        raise FileNotFoundError(f"'{self.yaml_file}': file '{name}' ({key}) is neither there nor "
                                f"in '{self.folder}': correct the name or fetch the file")

    @property
    def has_images(self) -> bool:
        """Return whether the image file exists."""
        return 'img' in self.paths and self.paths['img'].is_file()

    @property
    def files(self) -> list[Path]:
        """Return the YAML file and all existing files that it lists."""
        return [self.yaml_file, *(path for path in self.paths.values() if path.is_file())]

    def line_list(self) -> np.ndarray | None:
        """Return the row numbers of the data set, with repetitions; None for all rows once."""
        path = self.paths.get('linelist')
        if path is None:
            return None
        rows = []
        for number, line in enumerate(read_text(path).splitlines(), 1):
            row = line.split('\t')[0].strip()
            if row and not (row.isdecimal() and len(row) < 19):
                raise DataError(f"'{path}' line {number} is {line!r:.80}, but must be the number "
                                'of a row')
            rows += [int(row)] if row else []
        return np.asarray(rows, np.int64)
