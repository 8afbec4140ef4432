"""Metadata of an exported file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from glip_mm.safe_config import check_steps
from glip_mm.text.safe_json import load_json
from glip_mm.version import __version__

from .detector import FixedVocabularyDetector
from .suppression import Suppression

#: Under this key the file holds all of it as JSON; the keys of ``PLAIN`` are there for people.
KEY = 'glip_mm'
PLAIN = ('names', 'model', 'input')


@dataclass
class Metadata:
    """Everything that is needed to use an exported file.

    Args:
        names: Name of each label.
        captions: Prompts that the text was encoded from.
        model_name: Name of the model.
        nms: the outputs are detections, else candidates.
        suppression: thresholds and limits of the NMS.
        channels: ``'bgr'`` or ``'rgb'``.
        normalized: the input is normalised already; else it is raw, 0 to 255.
        mean: mean of each channel of the input.
        std: standard deviation of each channel of the input.
        size: Height and width of the input; None: any.
        takes_shown: the file has a second input, height and width of the image in the padded one.
        smallest: Least height and width of the input if any size is taken.
        resize: The steps of the test pipeline that resize, see :func:`resize_steps`.
        decoder: library that decodes images in the test pipeline.
        color_type: ``'color'``, or ``'color_ignore_orientation'`` if the test pipeline does not
            turn images by their EXIF orientation, see :func:`glip_mm.image_decoding.decode_image`.
        version: version of this package.
    """

    names: list[str]
    captions: list[str]
    model_name: str = 'GLIP'
    nms: bool = False
    suppression: dict[str, Any] = field(default_factory=dict)
    channels: str = 'bgr'
    normalized: bool = False
    mean: list[float] = field(default_factory=lambda: [0.0] * 3)
    std: list[float] = field(default_factory=lambda: [1.0] * 3)
    size: tuple[int, int] | None = None
    takes_shown: bool = False
    smallest: int = 1
    resize: list[dict[str, Any]] = field(default_factory=list)
    decoder: str = 'cv2'
    color_type: str = 'color'
    version: str = __version__

    @classmethod
    def of(cls, detector: FixedVocabularyDetector, rule: Suppression, **given: Any) -> 'Metadata':
        """Describe a detector.

        Args:
            detector: exported detector.
            rule: thresholds and limits of its NMS.
            given: other fields.
        """
        step = -1 if detector.flip else 1
        mean, std = (value.flatten().tolist()[::step] for value in (detector.mean, detector.std))
        return cls(list(detector.vocabulary.names), list(detector.vocabulary.captions),
                   suppression=rule._asdict(), channels=detector.channels,
                   normalized=not detector.normalize, mean=mean, std=std, **given)

    def to_strings(self) -> dict[str, str]:
        """Return keys and values for the file."""
        content = asdict(self)
        size = 'any size' if self.size is None else 'x'.join(map(str, self.size))
        kind = 'normalised' if self.normalized else 'raw, 0 to 255'
        return {KEY: json.dumps(content, ensure_ascii=False),
                'names': json.dumps(self.names, ensure_ascii=False),
                'model': self.model_name,
                'input': f'float32 [1, 3, height, width], {self.channels}, {kind}, {size}'}

    @classmethod
    def from_strings(cls, strings: Mapping[str, str]) -> 'Metadata':
        """Read :meth:`to_strings`.

        Raises:
            ValueError: If the file was not written by this package or by one that is too new, or
                holds values that it would not write.
        """
        if KEY not in strings:
            raise ValueError(f"the file has no metadata '{KEY}': export.py did not make it")
        try:
            content = load_json(strings[KEY])
        except ValueError as error:
            raise ValueError(f"the file's metadata '{KEY}' is no JSON ({error}): export the model "
                             'again') from None
        if not isinstance(content, dict):
            raise _wrong('', content, 'a dict')
        unknown = sorted(set(content) - {entry.name for entry in fields(cls)})
        if unknown:
            raise ValueError(f"the file was made by glip_mm {content.get('version')} and says "
                             f'{unknown}, which this version ({__version__}) does not know: use '
                             'the same version')
        for entry in fields(cls):
            if entry.name in content:
                content[entry.name] = _checked(entry.name, content[entry.name])
            elif entry.name in ('names', 'captions'):
                raise _wrong(entry.name, None, 'a list of texts')
        return cls(**content)


def _checked(name: str, value: Any) -> Any:
    """Return a value of a file's metadata, which may come from anywhere.

    Raises:
        ValueError: If it is of another kind, or names a step that does more than resize.
    """
    if name == 'resize':
        # a registry would call whatever the type of a step names
        steps = check_steps(value, f"metadata '{KEY}.resize'", 'the file')
        strange = next((step for step in steps if 'Resize' not in step['type']), None)
        if strange is not None:
            raise _wrong(name, strange['type'], 'a step that resizes')
        return steps
    if name == 'size' and value is not None:
        if not (_all(value, int) and len(value) == 2 and min(value) > 0):
            raise _wrong(name, value, 'height and width')
        return tuple(value)
    if name == 'suppression':
        if not isinstance(value, dict) or set(value) - set(Suppression._fields) or not all(
                item is None or type(item) in (int, float) for item in value.values()):
            raise _wrong(name, value, f'numbers of {", ".join(Suppression._fields)}')
    elif name in ('names', 'captions'):
        if not _all(value, str):
            raise _wrong(name, value, 'a list of texts')
    elif name in ('mean', 'std'):
        if not (_all(value, int, float) and len(value) == 3):
            raise _wrong(name, value, 'three numbers')
    elif name != 'size' and type(value) is not type(getattr(Metadata, name)):
        raise _wrong(name, value, f'a {type(getattr(Metadata, name)).__name__}')
    return value


def _all(value: Any, *kinds: type) -> bool:
    return isinstance(value, list) and all(type(item) in kinds for item in value)


def _wrong(name: str, value: Any, wanted: str) -> ValueError:
    where = f'{KEY}.{name}' if name else KEY
    return ValueError(f"the file's metadata '{where}' is {str(value)[:80]!r}, not {wanted}: export "
                      'the model again')
