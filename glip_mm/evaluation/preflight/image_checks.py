"""Checks of the images of a data set: present, readable, and of the annotated size."""

import os
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.transforms.load_image import LoadImage
from glip_mm.evaluation.tested_datasets import TestedDataset
from glip_mm.image_decoding import DARK

from .findings import Findings
from .image_files import ImageFacts, image_facts, packed_facts

#: Maximum number of images that are looked at, evenly over the set.
SOUGHT = 100_000
#: Number of images in shards or bundles that are decoded, besides the first of each file.
PACKED = 200

_REMEDIES = {
    'missing': 'are missing: check data_root and data_prefix',
    'broken': 'cannot be decoded: fetch them again or drop them',
    'turned': 'are turned by their EXIF orientation when they are loaded, and were annotated as '
              "they are stored, so boxes lie elsewhere: load with dict(type='LoadImage', "
              "color_type='color_ignore_orientation')",
    'size': 'have another size than the annotation file says, so boxes lie elsewhere: annotate '
            'anew, scale the boxes, or correct width and height',
    'clipped': "have more than 8 bits, which MMCV's loader would clip to white or black: load with "
               "dict(type='LoadImage') or convert them to 8 bits",
    'dark': 'have 16 bits of which the upper ones are empty, so they are loaded nearly black: '
            'convert them to 8 bits',
}


def check_images(dataset: TestedDataset, findings: Findings,
                 work_dir: str | Path | None = None) -> None:
    """Check the files of all images, and the pixels of as many as a minute allows.

    Args:
        dataset: Data set whose samples have ``img_path``; others are skipped.
        findings: Findings to add to: an error if most are wrong or one would end the run, else a
            warning.
        work_dir: Folder in which it is remembered which files are sound.
    """
    # our data sets replace samples that cannot be used, but not too many
    replaces = getattr(dataset.dataset, 'on_bad', 'stop') == 'replace'
    allowed = getattr(dataset.dataset, 'max_bad', 0.) if replaces else 0.
    infos = [info for info in some_samples(dataset, SOUGHT)
             if isinstance(info.get('img_path'), str) and '://' not in info['img_path']]
    packed = packed_facts({info['img_path']: info['img_bytes_ref'] for info in _some_packed(infos)})
    infos = [info for info in infos
             if 'img_bytes_ref' not in info or info['img_path'] in packed]
    if not infos:
        return
    paths = list(dict.fromkeys(info['img_path'] for info in infos if 'img_bytes_ref' not in info))
    # those that are decoded before the time is over are spread over the set
    files = packed | image_facts(random.Random(0).sample(paths, len(paths)), dataset.name, work_dir)
    found: dict[str, list[str]] = defaultdict(list)
    loader = _loader(dataset.dataset)
    for info in infos:
        path = info['img_path']
        problem = ('missing', f"'{path}'") if path not in files else _problem(
            path, files[path], info.get('width'), info.get('height'), loader)
        if problem:
            found[problem[0]].append(problem[1])
    decoded = sum(facts.decoded for facts in files.values())
    for cause, which in found.items():
        looked_at = decoded if cause == 'dark' else len(infos)
        most = min(allowed, .5) if cause in ('missing', 'broken') else .5
        fatal = len(which) > most * looked_at
        target = findings.errors if fatal else findings.warnings
        target.append(f'{dataset.name}: {len(which)} of {looked_at} images that were looked at '
                      f'{_REMEDIES[cause]}; the first: {which[0]}'
                      + (f' (at most {most:.0%} are replaced: max_bad)' if fatal and most < .5
                         and replaces else ''))
    if len(infos) < dataset.num_images or decoded < len(files):
        findings.notes.append(f'{dataset.name}: {len(infos)} of {dataset.num_images} images were '
                              f'looked at, {decoded} of them to the last pixel')


def some_samples(dataset: TestedDataset, count: int) -> Iterator[dict[str, Any]]:
    """Iterate over annotations of samples, evenly over a data set; none if it has no such access.

    Samples that are themselves unusable are skipped: reading them reports the cause.
    """
    if not hasattr(dataset.dataset, 'get_data_info') or not dataset.num_images:
        return
    for index in _evenly(dataset.num_images, count):
        try:
            info = dataset.dataset.get_data_info(index)
        except BadSample:
            continue
        if isinstance(info, dict):
            yield info


def _some_packed(infos: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return samples in shards or bundles: the first of each file, and others evenly."""
    packed = [info for info in infos if 'img_bytes_ref' in info]
    first = {os.path.dirname(info['img_path']): info for info in reversed(packed)}
    spread = [packed[i] for i in _evenly(len(packed), PACKED)]
    return [*list(first.values())[::-1], *spread]


def _evenly(length: int, count: int) -> list[int]:
    if length <= count:
        return list(range(length))
    return np.linspace(0, length - 1, count).astype(int).tolist()


def _problem(path: str, facts: ImageFacts, width: Any, height: Any, loader: Any
             ) -> tuple[str, str] | None:
    if facts.fault:
        return 'broken', f"'{path}' ({facts.fault})"
    turned = facts.turned and _turns(loader)
    loaded = facts.size[::-1] if turned else facts.size
    if width and height and loaded != (width, height):
        text = (f"'{path}' is annotated as {width} x {height} and loaded as {loaded[0]} x "
                f'{loaded[1]}')
        return ('turned' if turned and facts.size == (width, height) else 'size'), text
    if facts.deep and not isinstance(loader, LoadImage) and (
            getattr(loader, 'imdecode_backend', '') == 'pillow' or 'I;16' not in facts.deep):
        return 'clipped', f"'{path}'"
    if facts.deep.startswith('I') and 0 < facts.brightest < DARK:
        return 'dark', f"'{path}', whose brightest value is {facts.brightest:g} of 65535"
    return None


def _loader(dataset: Any) -> Any:
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    return next((s for s in steps if isinstance(s, LoadImageFromFile)), None)


def _turns(loader: Any) -> bool:
    color_type = getattr(loader, 'color_type', 'color')
    return color_type not in ('unchanged', 'color_ignore_orientation')
