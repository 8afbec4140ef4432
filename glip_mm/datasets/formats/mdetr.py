"""MDETR JSON: Flickr30k, GoldG's mixed set, RefCOCO, PhraseCut; captions with boxes of phrases."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from glip_mm.datasets.converters.mdetr import mdetr_records
from glip_mm.datasets.converters.text_file import ends

from .annotation_files import GUESSED, by_split, confidence, files_in, image_folder, root_of
from .base import Format, Sniffed, SplitFiles
from .records import NO_CLASSES, refusing


def _files(folder: Path, most: int | None = None) -> dict[Path, str]:
    """Return the files and pieces of their text."""
    texts = {path: ends(path) for path in files_in(folder, '.json', '.json.gz', most=most)}
    return {path: text for path, text in texts.items()
            if '"images"' in text and '"caption"' in text
            and re.search(r'"tokens(_positive|_negative|_positive_eval)?"\s*:', text)}


def sniff(folder: Path) -> Sniffed | None:
    """Guess by captions of images and the words of boxes in them."""
    found = list(_files(folder, GUESSED))
    return Sniffed(confidence(found, folder), f"'{found[0].name}' has captions, and boxes with "
                   'their words in them') if found else None


def _kind(path: Path) -> str:
    return next((kind for kind in ('phrasecut', 'refcoco') if kind in path.name.lower()), 'goldg')


def _roots(root: Path, text: str, split: str) -> tuple[Path, dict[str, str]]:
    """Return the image folder; for images of two sources the common one, and their places."""
    names = re.findall(r'"file_name"\s*:\s*"([^"]+)"', text)[:8]
    if not re.search(r'"data_source"\s*:\s*"coco"', text):
        return image_folder(root, names, split), {}
    of_coco = [name for name in names if name.startswith('COCO_train2014')]
    others = [name for name in names if name not in of_coco]
    coco = image_folder(root, of_coco) if of_coco else image_folder(root, ['train2014'])
    coco = coco / 'train2014' if (coco / 'train2014').is_dir() else coco
    rest = image_folder(root, others)
    return root, dict(coco=coco.relative_to(root).as_posix().removeprefix('.'),
                      vg=rest.relative_to(root).as_posix().removeprefix('.'))


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split of phrases for each file."""
    root, files, result = root_of(folder), _files(folder), []
    for name, path in by_split(list(files)).items():
        images, roots = _roots(root, files[path], name)
        result.append(SplitFiles(
            name, path, images, refusing(f"'{path}' {NO_CLASSES}"), holds='phrases',
            records=partial(mdetr_records, path, _kind(path), roots, progress=False)))
    return result


FORMAT = Format(
    'mdetr', 'MDETR grounding JSON', '{mdetr_annotations/,annotations/,}final_flickr_separateGT_'
    '{train,val,test}.json, final_mixed_train.json, finetune_{refcoco,phrasecut}_train.json',
    sniff, splits)
