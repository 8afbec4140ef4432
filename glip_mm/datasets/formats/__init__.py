"""Formats of annotated folders: one plug-in each, and one function that opens any of them.

A plug-in is a :class:`Format`: it recognises a folder, and turns its annotations into rows in the
form of COCO, which the one reader of such rows (:mod:`glip_mm.datasets.coco_file`) corrects and
counts. Whatever opens a folder can so be trained on, tested, checked and converted. Add your own:
``FORMATS['mine'] = Format('mine', ...)``.
"""

from . import (
    coco,
    cvat,
    label_studio,
    labelme,
    lvis,
    mdetr,
    objects365,
    odvg,
    openimages,
    parquet,
    shards,
    tsv,
    voc,
    yolo,
)
from .base import ALIASES, FORMATS, Format, Sniffed, SplitFiles, split_name
from .opening import OpenFolder, open_folder, recognise
from .records import records_of, unpacked

FORMATS.update({plugin.FORMAT.name: plugin.FORMAT for plugin in (
    objects365, lvis, mdetr, coco, yolo, voc, label_studio, cvat, labelme, openimages, odvg, tsv,
    shards, parquet)})

__all__ = ['ALIASES', 'FORMATS', 'Format', 'OpenFolder', 'Sniffed', 'SplitFiles', 'open_folder',
           'recognise', 'records_of', 'split_name', 'unpacked']
