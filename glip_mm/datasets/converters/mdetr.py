"""MDETR-style JSON to ODVG records: Flickr30k, GoldG's mixed set, RefCOCO/+/g, PhraseCut.

The container is COCO's, with one entry of ``images`` for every pair of an image and a sentence.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from glip_mm.datasets.boxes import fit_box
from glip_mm.datasets.report import WITH_ITS_ROW, Report

from .box_table import Container, read_container
from .coco import CROWD
from .phrases import NO_SPAN, Regions, good_spans
from .records import Records

#: Kind of the file -> whether a box without spans belongs to the whole sentence.
KINDS = {'goldg': False, 'flickr': False, 'refcoco': True, 'phrasecut': True}
NO_CAPTION = 'image without a caption'
NO_BOX = 'sentence without a usable box'
OTHER_SOURCE = 'image of another data source'


def _spans(annotation: dict) -> object:
    spans = annotation.get('tokens', annotation.get('tokens_positive'))
    return spans if isinstance(spans, list) else ()


def _source_of(image: dict) -> str:
    """Tell COCO images from all others, as the published code does."""
    return 'coco' if image.get('data_source') == 'coco' else 'vg'


def _records(container: Container, whole: bool, roots: Mapping[str, str], only_source: str | None,
             report: Report) -> Iterator[dict]:
    for image in container.images:
        caption, source = image.extra
        where = f'image id {image.image_id}'
        boxes = container.table.of(image.number)
        cause = ''
        if only_source is not None and source != only_source:
            cause = OTHER_SOURCE
        elif not isinstance(caption, str) or not caption:
            cause = NO_CAPTION
        if cause:
            report.drop(cause, where)
            report.drop(WITH_ITS_ROW, where, len(boxes))
            continue
        regions, kept = Regions(caption), 0
        for box in boxes:
            if box.ignore:
                report.drop(CROWD, box.where)
                continue
            spans = good_spans(caption, box.spans, report, box.where)
            if not box.spans and whole:
                spans = [[0, len(caption)]]
            if not spans:
                report.drop(NO_SPAN, box.where)
                continue
            bbox = fit_box(box.x, box.y, box.x + box.w, box.y + box.h, image.width, image.height,
                           report, box.where)
            if bbox is not None:
                regions.add(bbox, spans)
                kept += 1
        if not kept:
            report.drop(NO_BOX, where)
            continue
        report.rows_written += 1
        report.boxes_written += kept
        prefix = roots.get(source, '').rstrip('/')
        name = f'{prefix}/{image.file_name}' if prefix else image.file_name
        yield dict(filename=name, height=image.height, width=image.width, image_id=image.image_id,
                   grounding=dict(caption=caption, regions=regions.regions()))


def mdetr_records(ann_file: str | Path, kind: str = 'goldg',
                  roots: Mapping[str, str] | None = None, only_source: str | None = None,
                  progress: bool = True) -> Records:
    """Read MDETR-style annotations.

    Spans are kept exactly. Boxes with identical spans become one region with several boxes.
    Crowd boxes and sentences without a usable box are left out, as in GLIP's training.

    Args:
        ann_file: Path of the MDETR JSON file.
        kind: 'goldg' (also 'flickr'), 'refcoco' or 'phrasecut': in the last two a box without
            spans belongs to the whole sentence.
        roots: Folder to prepend to file names by source of the image, 'coco' or 'vg'; the mixed
            set has images of both.
        only_source: Keep only images of this source, 'coco' or 'vg'.
        progress: Show progress bars.

    Returns:
        Grounding records.

    Raises:
        ValueError: If the file is not of this format, or an argument has another value.
    """
    if kind not in KINDS:
        raise ValueError(f'kind is {kind!r}, but must be one of {sorted(KINDS)}')
    roots = dict(roots or {})
    for source in [*roots, *([only_source] if only_source is not None else [])]:
        if source not in ('coco', 'vg'):
            raise ValueError(f"source of images is {source!r}, but must be 'coco' or 'vg'")
    report = Report(str(ann_file))
    container = read_container(
        ann_file, report, categories=False, spans=_spans, progress=progress,
        extra=lambda image: (image.get('caption'), _source_of(image)))
    return Records(_records(container, KINDS[kind], roots, only_source, report), None,
                   report.rows_read, report)
