"""Detection of annotation formats other than COCO in a folder, and how to convert them."""

from itertools import islice
from pathlib import Path

from glip_mm.image_suffixes import IMAGE_SUFFIXES

#: Maximum number of files to look at.
LOOKED_AT = 20_000
OTHERS = {'.csv', '.tfrecord', '.jsonl', '.parquet'}
EXPORT = ('export it as COCO JSON from the tool that it was labelled with (CVAT, Label Studio, '
          'RoboFlow and others do)')


def other_format(folder: str | Path) -> str:
    """Describe annotations in another format or under another name; empty if there are none.

    Args:
        folder: Folder without a COCO-format file under a usual name.
    """
    files = sorted(p for p in islice(Path(folder).rglob('*'), LOOKED_AT) if p.is_file())
    suffixes = {path.suffix.lower() for path in files}
    first = next((path for path in files if path.suffix.lower() == '.json'), None)
    if first is not None:
        return f"; '{first}' is there: if it is a COCO-format file, give it one of these names"
    stems = {path.stem for path in files if path.suffix.lower() in IMAGE_SUFFIXES}
    if any(path.suffix == '.txt' and path.stem in stems for path in files):
        return f'; it looks like YOLO (a .txt file for each image): {EXPORT}'
    if '.xml' in suffixes:
        return (f'; it looks like PASCAL VOC (an .xml file for each image): {EXPORT}, or convert '
                "with MMDetection's tools/dataset_converters/pascal_voc.py --out-format coco")
    others = sorted(suffixes & OTHERS)
    if others:
        return f'; its {", ".join(others)} files are not read: {EXPORT}'
    return '; it holds no annotations at all' if files else '; it is empty'
