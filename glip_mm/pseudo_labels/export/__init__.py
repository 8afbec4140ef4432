"""Export of labels to the formats of other tools.

A format is a function in a file of its own that writes a :class:`Collection` into a folder; to add
one, write such a file and add it to :data:`FORMATS`: the tool, its help and its tests use
that mapping.
"""

from collections.abc import Callable
from pathlib import Path

from glip_mm.atomic_files import new_folder

from .classes import ClassList, category_name
from .coco import write_coco
from .collection import Collection, ExportBox, ExportImage
from .label_studio import write_label_studio
from .odvg import write_odvg
from .voc import write_voc
from .yolo import write_yolo

#: Name -> ``write(collection, folder)``, which returns the numbers of written images and boxes.
FORMATS: dict[str, Callable[[Collection, Path], tuple[int, int]]] = {
    'coco': write_coco, 'yolo': write_yolo, 'voc': write_voc, 'labelstudio': write_label_studio,
    'odvg': write_odvg}


def export_labels(collection: Collection, to: str, out: str | Path) -> tuple[int, int]:
    """Write labels in a format.

    Args:
        collection: Labels to write.
        to: Name of the format, a key of :data:`FORMATS`.
        out: Target folder; created when all is written, and must not exist before.

    Returns:
        Numbers of images and boxes.

    Raises:
        ValueError: If the format is unknown, or cannot represent the labels.
        FileExistsError: If the folder exists.
    """
    if to not in FORMATS:
        raise ValueError(f"to='{to}' is none of {', '.join(FORMATS)}")
    with new_folder(out) as folder:
        return FORMATS[to](collection, folder)


__all__ = ['FORMATS', 'ClassList', 'Collection', 'ExportBox', 'ExportImage', 'category_name',
           'export_labels']
