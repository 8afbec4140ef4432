"""Generators of ODVG records from the formats of published data sets.

A box is ``[x1, y1, x2, y2]`` in pixels of the original image, half open: ``x2 = x1 + width``.
"""

from collections.abc import Callable

from glip_mm.datasets.label_map import write_label_map
from glip_mm.datasets.report import Report

from .coco import coco_records
from .lvis import lvis_records
from .mdetr import mdetr_records
from .openimages import ImageSizes, openimages_records
from .records import Records, write_jsonl
from .tsv import bundle_records, decode_cell, tsv_records
from .tsv_files import TSVBundle
from .visual_genome import visual_genome_records
from .voc import voc_records

#: Annotation formats that cannot be read in place -> function that converts them to records.
FORMATS: dict[str, Callable[..., Records]] = {
    'coco': coco_records, 'lvis': lvis_records, 'mdetr': mdetr_records, 'tsv': bundle_records}

__all__ = [
    'FORMATS', 'ImageSizes', 'Records', 'Report', 'TSVBundle', 'bundle_records', 'coco_records',
    'decode_cell', 'lvis_records', 'mdetr_records', 'openimages_records', 'tsv_records',
    'visual_genome_records', 'voc_records', 'write_jsonl', 'write_label_map']
