"""Differences of Objects365 from other COCO-format data: names, paths, missing images.

They are known by the names of its images, so that the published files are read right wherever a
COCO-format file is; data with other names are left as they are.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from glip_mm.datasets.coco_file import Placed
from glip_mm.datasets.report import WITH_ITS_ROW, Report

MISSING = 'image known to be missing or unreadable'


class Release(NamedTuple):
    """What is special about a published data set.

    Attributes:
        image: Pattern of the base name of its images; the group is a number.
        missing: Numbers of images that are listed, but not in the archives.
        prefixes: Beginnings of file names that the archives do not have.
        names: Wrong class name -> right name.
    """

    image: str = ''
    missing: frozenset[int] = frozenset()
    prefixes: tuple[str, ...] = ()
    names: Mapping[str, str] = MappingProxyType({})


#: Data with no habits of their own.
PLAIN = Release()
V1 = Release(r'obj365_train_(\d{12})\.jpg', frozenset({6, 19, 23}))
V2 = Release(r'objects365_v[12]_(\d{8})\.(?:jpg|png)', frozenset({908726, 320532, 320534}),
             ('images/v1/', 'images/v2/'), {
    'Moniter/TV': 'Monitor/TV', 'Bakset': 'Basket', 'Ballon': 'Balloon',
    'Dinning Table': 'Dining Table', 'Tea pot': 'Teapot', 'Billards': 'Billiards',
    'Extention Cord': 'Extension Cord', 'Hotair ballon': 'Hot air balloon',
    'Hamimelon': 'Hami melon', 'Mushroon': 'Mushroom', 'Tape Measur/ Ruler': 'Tape Measure/Ruler',
    'Campel': 'Camel', 'Meat ball': 'Meatball', 'Buttefly': 'Butterfly', 'Noddles': 'Noodles',
    'Table Teniis paddle': 'Table Tennis paddle'})


def _number(release: Release, name: str) -> int | None:
    found = re.fullmatch(release.image, name.rpartition('/')[2]) if release.image else None
    return int(found[1]) if found else None


def release_of(name: object) -> Release:
    """Return the release that an image with this file name belongs to.

    Example:
        >>> release_of('images/v1/patch8/objects365_v1_00420917.jpg') is V2
        True
        >>> release_of('000000000009.jpg') is PLAIN
        True
    """
    return next((release for release in (V1, V2) if isinstance(name, str)
                 and _number(release, name) is not None), PLAIN)


def corrected(rows: Iterable[Placed], report: Report, release: Release | None = None,
              images: str | Path | None = None) -> Iterator[Placed]:
    """Iterate over rows of a COCO-format file as those of the published data must be read.

    Class names are spelt right, prefixes of file names taken off unless the image folder has them,
    and images that the archives lack left out with their boxes.

    Args:
        rows: Rows of :func:`glip_mm.datasets.coco_file.iterate_coco`.
        report: Report that counts corrections.
        release: The release; default: the one that the first image is named after.
        images: Folder that file names start from, if known.

    Yields:
        Rows; categories come last.
    """
    categories, missing = [], set()
    for section, where, row in rows:
        if section == 'categories':
            categories.append((section, where, row))  # images may come later
            continue
        if section == 'images':
            name = row['file_name'] or ''
            release = release_of(name) if release is None else release
            number = _number(release, name)
            if (row['id'] if number is None else number) in release.missing:
                missing.add(row['id'])
                report.drop(MISSING, f"image id {row['id']}")
                continue
            prefix = next((p for p in release.prefixes if name.startswith(p)), '')
            if prefix and not (images is not None and Path(images, prefix).is_dir()):
                row['file_name'] = name[len(prefix):]
                report.change(f"'{prefix}' before a file name, taken off", where)
        elif row['image_id'] in missing:
            report.drop(WITH_ITS_ROW, f"image id {row['image_id']}")
            continue
        yield section, where, row
    for section, where, row in categories:
        name = row['name']
        row['name'] = (release or PLAIN).names.get(name, name)
        if row['name'] != name:
            report.change('misspelt class name, corrected', f"{where} ('{name}')")
        yield section, where, row
