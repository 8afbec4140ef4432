"""Checks of some images of a data set: present, readable, and of the annotated size."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.transforms.load_image import LoadImage
from glip_mm.evaluation.tested_datasets import TestedDataset

from .findings import Findings

#: Number of images whose headers are read, and number of those decoded, evenly over the set.
SOUGHT, DECODED = 2000, 32
#: EXIF orientations that exchange width and height, and the tag.
_TURNED, _ORIENTATION = (5, 6, 7, 8), 0x112

_REMEDIES = {
    'missing': 'are missing: check data_root and data_prefix',
    'broken': 'cannot be decoded: fetch them again or drop them',
    'turned': 'are turned by their EXIF orientation when they are loaded, and were annotated as '
              'they are stored, so boxes lie elsewhere: load with dict(type='
              "'LoadImageFromFile', color_type='color_ignore_orientation')",
    'size': 'have another size than the annotation file says, so boxes lie elsewhere: annotate '
            'anew, scale the boxes, or correct width and height',
    'clipped': 'have 16 bits, which Pillow would clip to white: load with '
               "dict(type='LoadImage') or convert them to 8 bits",
    'dark': 'have 16 bits of which the upper ones are empty, so they are loaded nearly black: '
            'convert them to 8 bits',
}


def check_images(dataset: TestedDataset, findings: Findings) -> None:
    """Check that the images exist, and the headers of some.

    Args:
        dataset: Data set whose samples have ``img_path``; others are skipped.
        findings: Findings to add to: an error if most are wrong or one would end the run, else a
            warning.
    """
    # our data sets replace samples that cannot be used
    stops = getattr(dataset.dataset, 'on_bad', 'stop') == 'stop'
    infos = [info for info in some_samples(dataset, SOUGHT)
             if isinstance(info.get('img_path'), str) and '://' not in info['img_path']
             and 'img_bytes_ref' not in info]
    missing = [info['img_path'] for info in infos if not Path(info['img_path']).is_file()]
    found = defaultdict(list, {'missing': [f"'{path}'" for path in missing]} if missing else {})
    pillow, turns = _loads_by_pillow(dataset.dataset), _turns(dataset.dataset)
    decoded = set(_evenly(len(infos), DECODED))
    for i, info in enumerate(infos):
        problem = _problem(info['img_path'], info.get('width'), info.get('height'), pillow, turns,
                           i in decoded)
        if problem:
            found[problem[0]].append(problem[1])
    for cause, which in found.items():
        looked_at = len(decoded if cause in ('clipped', 'dark') else infos)
        fatal = 2 * len(which) > looked_at or stops and cause in ('missing', 'broken')
        target = findings.errors if fatal else findings.warnings
        target.append(f'{dataset.name}: {len(which)} of {looked_at} images that were looked at '
                      f'{_REMEDIES[cause]}; the first: {which[0]}')


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


def _evenly(length: int, count: int) -> list[int]:
    if length <= count:
        return list(range(length))
    return np.linspace(0, length - 1, count).astype(int).tolist()


def _problem(path: str, width: Any, height: Any, pillow: bool, turns: bool,
             decode: bool) -> tuple[str, str] | None:
    if not Path(path).is_file():
        return None
    try:
        with Image.open(path) as image:
            mode, stored = image.mode, image.size
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            deep = decode and mode.startswith('I') and _brightest(image)
            if decode:
                image.load()  # a truncated file has a valid header
    except Exception as error:  # decoders raise exceptions of any type
        return 'broken', f"'{path}' ({' '.join(str(error).split())[:80]})"
    loaded = stored[::-1] if turned and turns else stored
    if width and height and loaded != (width, height):
        text = (f"'{path}' is annotated as {width} x {height} and loaded as {loaded[0]} x "
                f'{loaded[1]}')
        return ('turned' if turned and turns and stored == (width, height) else 'size'), text
    if deep and pillow:
        return 'clipped', f"'{path}'"
    if deep and deep < 1 << 13:
        return 'dark', f"'{path}', whose brightest value is {deep} of 65535"
    return None


def _brightest(image: Image.Image) -> int:
    return int(np.asarray(image).max())


def _loader(dataset: Any) -> Any:
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    return next((s for s in steps if isinstance(s, LoadImageFromFile)), None)


def _loads_by_pillow(dataset: Any) -> bool:
    loader = _loader(dataset)
    # our loader scales 16-bit images itself
    return getattr(loader, 'imdecode_backend', '') == 'pillow' and not isinstance(loader,
                                                                                  LoadImage)


def _turns(dataset: Any) -> bool:
    color_type = getattr(_loader(dataset), 'color_type', 'color')
    return color_type not in ('unchanged', 'color_ignore_orientation')
