"""What a folder holds that is no COCO-format data set, and how to make it one."""

from itertools import islice
from pathlib import Path

from ..image_suffixes import IMAGE_SUFFIXES

#: Files that are looked at: enough to see what a folder is.
LOOKED_AT = 20_000
OTHERS = {'.csv', '.tfrecord', '.jsonl', '.parquet'}
EXPORT = ('export it as COCO JSON from the tool that it was labelled with (CVAT, Label Studio, '
          'RoboFlow and others do)')


def other_format(folder: str | Path) -> str:
    """A sentence about annotations in another format or under another name; empty if none.

    Args:
        folder: Where no COCO-format file was found under a usual name.
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
