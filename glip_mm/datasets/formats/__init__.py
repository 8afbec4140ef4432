"""Formats of annotated folders: one plug-in each, and one function that opens any of them.

A plug-in is a :class:`Format`: it recognises a folder, and turns its annotations into rows in the
form of COCO, which the one reader of such rows (:mod:`glip_mm.datasets.coco_file`) corrects and
counts. Whatever opens a folder can so be trained on, tested, checked and converted. Add your own:
``FORMATS['mine'] = Format('mine', ...)``.
"""

from . import lvis, mdetr, objects365, odvg, openimages, parquet, shards, tsv
from .base import ALIASES, Format, Sniffed, SplitFiles, split_name

#: Name -> format, in the order in which equal guesses win.
FORMATS: dict[str, Format] = {
    'objects365': objects365.FORMAT,
    'lvis': lvis.FORMAT,
    'mdetr': mdetr.FORMAT,
    'openimages': openimages.FORMAT,
    'odvg': odvg.FORMAT,
    'tsv': tsv.FORMAT,
    'tar': shards.FORMAT,
    'parquet': parquet.FORMAT,
}

__all__ = ['ALIASES', 'FORMATS', 'Format', 'Sniffed', 'SplitFiles', 'split_name']
