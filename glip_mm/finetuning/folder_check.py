"""Check of a folder of data in any format, before anything is trained or tested on it."""

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import ImageOps
from terminaltables import AsciiTable
from tqdm import tqdm

from glip_mm.datasets.boxes import fit_box, xyxy
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.formats import OpenFolder, SplitFiles, open_folder, records_of
from glip_mm.datasets.formats.image_annotations import is_image, walk
from glip_mm.datasets.report import Report
from glip_mm.evaluation.preflight.findings import Findings
from glip_mm.image_decoding import open_image, orientation, stored_size
from glip_mm.visualization.files import save_image
from glip_mm.visualization.grounding import draw_grounding
from glip_mm.visualization.sheet import make_sheet

from .splits import original_name

#: Pictures on the contact sheet, and classes in the table.
ON_SHEET, CLASSES = 12, 60
#: Side of the grid whose differences identify a picture, and the differing bits (of 240) up to
#: which two pictures count as one: resizing and JPEG change fewer than 10.
GRID, NEAR = 16, 10
#: Most images whose pictures are compared.
COMPARED = 20_000


def check_folder(path: str | Path, format: str | None = None, sheet: str | Path | None = None,
                 progress: bool = True) -> Findings:
    """Describe a folder and find what is wrong with it.

    Args:
        path: Folder, or a file in its place, see :func:`glip_mm.datasets.formats.open_folder`.
        format: Name of the format; default: the most confident guess.
        sheet: Path of a contact sheet to draw.
        progress: Show a progress bar.

    Returns:
        Notes (format, splits, classes with counts), warnings (what is changed or left out and
        why, images that are in two splits) and errors (missing and broken images, splits that
        cannot be used).

    Raises:
        FileNotFoundError: If the format is not known.
        ValueError: If the annotations cannot be read.
    """
    opened, findings = open_folder(path, format), Findings()
    findings.notes.append(opened.describe())
    of_classes = {name: files for name, files in opened.splits.items() if files.holds == 'boxes'}
    for name, files in opened.splits.items():
        if name not in of_classes:
            _describe_captions(files, findings)
    if not of_classes:
        return findings
    opened = OpenFolder(opened.path, opened.format, opened.reason, of_classes)
    for split in opened.splits:
        _fit(opened.content(split), opened.report(split))
    findings.notes += [_table(opened), _classes(opened)]
    for split in opened.splits:
        report = opened.report(split)
        findings.warnings += [f"'{report.source}': {line}" for line in report.lines()]
    prints = {split: dict(_look(opened, split, findings, progress)) for split in opened.splits}
    findings.warnings += _near_duplicates(prints)
    findings.notes += _unused(opened)
    names = {split: opened.classes(split) for split in opened.splits}
    if len(set(names.values())) > 1:
        listed = '\n'.join(f'  {split}: {list(classes)}' for split, classes in names.items())
        findings.errors.append('the splits have different classes, which no training or test '
                               f'takes together:\n{listed}')
    if sheet is not None:
        pictures = list(_pictures(opened))
        if pictures:
            save_image(sheet, make_sheet(pictures))
            findings.notes.append(f"contact sheet: '{sheet}'")
    return findings


def _fit(content: Mapping[str, Sequence[dict]], report: Report) -> None:
    """Count the boxes that training clips or leaves out, as the converters do."""
    images = {row['id']: row for row in content['images']}
    for one in content['annotations']:
        image = images[one['image_id']]
        x1, y1, x2, y2 = xyxy(one['bbox'])
        fit_box(x1, y1, x2, y2, image['width'], image['height'], report,
                f"annotation {one['id']} of '{image['file_name']}'")


def _is_there(folder: Path, name: str) -> bool:
    try:
        return Path(below(folder, name)).is_file()
    except ValueError:
        return False


def _describe_captions(files: SplitFiles, findings: Findings) -> None:
    """Count captions, their boxes and missing images of a split without classes."""
    try:
        records, missing = records_of(files), []
        for record in records:
            if files.unpack is None and not _is_there(files.images, record['filename']):
                missing.append(record['filename'])
    except DataError as error:  # says what they are good for
        findings.warnings.append(str(error))
        return
    report = records.report
    findings.notes.append(
        f"'{report.source}': {report.rows_written} of {report.rows_read} captions with "
        f'{report.boxes_written} boxes of phrases, no classes')
    findings.warnings += [f"'{report.source}': {line}" for line in report.lines()]
    if missing:
        findings.errors.append(f"'{report.source}': {len(missing)} images are missing from "
                               f"'{files.images}', such as '{missing[0]}'")


def _table(opened: OpenFolder) -> str:
    rows = [['split', 'images', 'without boxes', 'boxes', 'to be ignored', 'left out', 'changed']]
    for split in opened.splits:
        content, report = opened.content(split), opened.report(split)
        images = {a['image_id'] for a in content['annotations']}
        rows.append([split or 'all', *map(str, (
            len(content['images']), len(content['images']) - len(images),
            len(content['annotations']), sum(a['iscrowd'] for a in content['annotations']),
            report.dropped.total(), report.changed.total()))])
    return _aligned(rows)


def _classes(opened: OpenFolder) -> str:
    counts: dict[str, Counter] = {}
    for split in opened.splits:
        content = opened.content(split)
        name_of = {row['id']: row['name'] for row in content['categories']}
        counts[split] = Counter(name_of[a['category_id']] for a in content['annotations'])
    names = list(dict.fromkeys(n for split in opened.splits for n in opened.classes(split)))
    rows = [['class', *(split or 'all' for split in opened.splits)]]
    rows += [[name, *(str(counts[s][name]) for s in opened.splits)] for name in names[:CLASSES]]
    more = f'\n... and {len(names) - CLASSES} classes more' if len(names) > CLASSES else ''
    return _aligned(rows) + more


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    table = AsciiTable([list(row) for row in rows])
    table.outer_border = table.inner_column_border = False
    for column in range(1, len(rows[0])):
        table.justify_columns[column] = 'right'
    return '\n'.join(line.rstrip() for line in table.table.split('\n'))


def _look(opened: OpenFolder, split: str, findings: Findings, progress: bool
          ) -> Iterator[tuple[str, np.ndarray]]:
    """Iterate over names and pictures' fingerprints; find missing, broken and resized images."""
    images, folder = opened.content(split)['images'], opened.splits[split].images
    if opened.splits[split].unpack is not None:
        findings.notes.append(f"images of {split or 'all'} lie inside other files: they are looked "
                              'at when they are written out, before a training or test')
        return
    wrong: dict[str, list[str]] = {}
    doubtful: list[str] = []
    for row in tqdm(images, desc=f'looking at {split or "all"}', unit='image',
                    disable=not progress, mininterval=0.5):
        path = folder / row['file_name']
        try:
            path = Path(below(folder, row['file_name']))
            if not path.is_file():
                wrong.setdefault('are missing', []).append(f"'{path}'")
                continue
            with open_image(path) as image:
                size, turned = stored_size(image), orientation(image) >= 5
                image.draft('L', (4 * GRID, 4 * GRID))
                grey = ImageOps.exif_transpose(image.convert('L')).resize((GRID, GRID))
        except Exception as error:  # decoders raise exceptions of any type
            wrong.setdefault('cannot be decoded', []).append(f"'{path}' ({error!s:.80})")
            continue
        annotated = row['width'], row['height']
        if turned and size == annotated:
            doubtful.append(f"'{path}'")
        elif annotated != (size[::-1] if turned else size):
            wrong.setdefault('have another size than annotated, so boxes lie elsewhere', []).append(
                f"'{path}' is {size[0]} x {size[1]}, annotated as {row['width']} x {row['height']}")
        values = np.asarray(grey, dtype=int)
        yield row['file_name'], (values[:, 1:] > values[:, :-1]).ravel()
    findings.errors += [f'{split or "all"}: {len(which)} of {len(images)} images {what}; the '
                        f'first: {which[0]}' for what, which in wrong.items()]
    if doubtful:
        findings.warnings.append(
            f'{split or "all"}: {len(doubtful)} of {len(images)} images have an EXIF orientation, '
            'and were annotated as they are stored: load with '
            "color_type='color_ignore_orientation', or boxes lie elsewhere; the first: "
            f'{doubtful[0]}')


def _unused(opened: OpenFolder) -> list[str]:
    """Describe images of the folder that no split names: not annotated, or not listed."""
    if opened.path.is_file() or any(files.unpack for files in opened.splits.values()):
        return []
    used = {os.path.realpath(files.images / row['file_name'])
            for split, files in opened.splits.items() for row in opened.content(split)['images']}
    unused = [name for name in walk(opened.path) if is_image(name)
              and os.path.realpath(opened.path / name) not in used]
    return [f"{len(unused)} images below '{opened.path}' are in no split, such as '{unused[0]}': "
            'they are not annotated, not listed, or masks'] if unused else []


def _near_duplicates(prints: dict[str, dict[str, np.ndarray]]) -> list[str]:
    """Describe images that two splits share: results on them say what was learned by heart."""
    found, splits = [], list(prints)
    for i, first in enumerate(splits):
        for second in splits[i + 1:]:
            one, two = prints[first], prints[second]
            if not one or not two or len(one) + len(two) > COMPARED:
                continue
            originals = {original_name(name): name for name in one}
            pairs = {name: originals[original_name(name)] for name in two
                     if original_name(name) in originals and original_name(name) != name}
            names, bits = list(one), np.stack(list(one.values())).astype(np.float32)
            for name, print_ in two.items():
                # pictures of one colour have no differences, and are not the same for that
                if name not in pairs and 8 < print_.sum() < len(print_) - 8:
                    distance = np.abs(bits - print_).sum(1)
                    best = int(distance.argmin())
                    if distance[best] <= NEAR:
                        pairs[name] = names[best]
            if pairs:
                name, other = next(iter(pairs.items()))
                found.append(f'{len(pairs)} images of {second} are (nearly) the same as ones of '
                             f"{first}, such as '{name}' and '{other}': results on them say what "
                             'was learned by heart; take them out of one split')
    return found


def _pictures(opened: OpenFolder) -> Iterator[np.ndarray]:
    each = -(-ON_SHEET // len(opened.splits))
    for split, files in opened.splits.items():
        content, classes = opened.content(split), opened.classes(split)
        name_of = {row['id']: row['name'] for row in content['categories']}
        for row in random.Random(0).sample(content['images'], min(each, len(content['images']))):
            try:
                with open_image(below(files.images, row['file_name'])) as image:
                    picture = np.asarray(image.convert('RGB'))
            except Exception:  # _look() has named it
                continue
            mine = [a for a in content['annotations'] if a['image_id'] == row['id']]
            drawn = [a for a in mine if not a['iscrowd'] and name_of[a['category_id']] in classes]
            names = [name_of[a['category_id']] for a in drawn]
            yield draw_grounding(picture, SimpleNamespace(
                boxes=[xyxy(a['bbox']) for a in drawn], names=names,
                labels=[classes.index(name) for name in names]), caption=False,
                title=f'{split or "all"}: {row["file_name"]}',
                ignored=[xyxy(a['bbox']) for a in mine if a['iscrowd']])
