"""Members of a test's data set."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glip_mm.text.names import listed


class TestedDataset(NamedTuple):
    """An annotated data set of a test; a test may join several."""

    name: str
    #: Path of the annotation file; '' if the set has none.
    ann_file: str
    img_prefix: str
    num_images: int
    #: Names in label order; empty if each image has its own phrases.
    classes: tuple[str, ...]
    #: Index of its first image in the whole.
    start: int
    dataset: Any

    def facts(self) -> dict[str, Any]:
        """Return its description for ``metrics.json``."""
        return dict(name=self.name, ann_file=self.ann_file, img_prefix=self.img_prefix,
                    num_images=self.num_images, classes=list(self.classes))


# pytest would collect it; in the class, mypy takes it for a field
TestedDataset.__test__ = False  # type: ignore[attr-defined]


def tested_datasets(dataset: Any, names: list[str] | None = None,
                    repeated: bool = False) -> list[TestedDataset]:
    """List the data sets that a test's data set joins, in order.

    Args:
        dataset: A data set, possibly wrapped or concatenated.
        names: Names in the evaluator; default: their own ``dataset_name``, or that of
            the annotation file.
        repeated: Whether to look inside wrappers that change the number of images, too, as used in
            trainings; ``start`` is meaningless then.
    """
    found, start = [], 0
    leaves = list(_leaves(dataset, repeated))
    for i, leaf in enumerate(leaves):
        path = getattr(leaf, 'ann_file', None)
        path = str(path) if isinstance(path, (str, Path)) else ''
        name = names[i] if names and len(names) == len(leaves) else (
            getattr(leaf, 'dataset_name', None) or Path(path).stem or type(leaf).__name__)
        prefix = getattr(leaf, 'data_prefix', None) or {}
        classes = (getattr(leaf, 'metainfo', None) or {}).get('classes') or ()
        found.append(TestedDataset(
            str(name), path, str(prefix.get('img') or '') if isinstance(prefix, Mapping) else '',
            len(leaf), tuple(listed(classes)), start, leaf))
        start += len(leaf)
    return found


def _leaves(dataset: Any, repeated: bool) -> Iterator[Any]:
    members = getattr(dataset, 'datasets', None)
    if isinstance(members, (list, tuple)):
        for member in members:
            yield from _leaves(member, repeated)
    # a wrapper that changes the number of images counts as a data set itself
    elif hasattr(dataset, 'dataset') and (repeated or len(dataset.dataset) == len(dataset)):
        yield from _leaves(dataset.dataset, repeated)
    else:
        yield dataset
