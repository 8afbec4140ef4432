"""Rules of valid ODVG records, shared by the file validation and the readers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple

#: Cause -> remedy. Causes are short, so that they can be counted.
REMEDIES = {
    'not JSON': 'write one JSON object a line, as the converters do',
    'wrong type': 'write the type that is asked for',
    'missing field': 'add it',
    'no content': "give either 'detection' or 'grounding'",
    'bad size': 'write the width and height of the image in whole pixels',
    'malformed box': 'write [x1, y1, x2, y2] in finite pixels',
    'degenerate box': 'x2 must be more than x1 + 1 and y2 more than y1 + 1, or drop the box; was '
                      'it written as x, y, width, height?',
    'box outside the image': 'drop it, or correct the width and height of the image',
    'box sticks out': 'clip it to the image',
    'unknown label': 'use the label map that was written with this file',
    'wrong category': 'use the label map that was written with this file',
    'span past the caption': 'spans are [begin, end) characters of the caption, begin < end',
    'no span': 'give each phrase its characters in the caption, or drop the region',
    'phrase differs': 'write as phrase what the spans cut out of the caption',
    'bad score': 'write one finite number for each box',
    'duplicate row': 'drop one of them; lists that repeat rows on purpose pass with '
                     '--allow-duplicates',
    'missing image': 'correct the image root or the file name, or fetch the image',
    'broken image': 'fetch the image again, or drop the row',
    'size differs from the image': 'correct width and height, or scale the boxes',
}
#: Tolerance of box edges outside the image in pixels, for rounding errors.
TOLERANCE = 0.01
#: Causes that leave boxes and rows usable: readers clip boxes and go by label and span.
HARMLESS = frozenset({'box sticks out', 'wrong category', 'phrase differs', 'duplicate row'})


class Problem(NamedTuple):
    """A fault of a record: its place, its cause (see :data:`REMEDIES`) and the details."""

    field: str
    cause: str
    message: str


@dataclass
class RowCheck:
    """Result of checking a record.

    Attributes:
        problems: All faults.
        usable: Whether the record can be trained on, possibly without its bad boxes.
        boxes: Number of boxes.
        usable_boxes: Number of boxes that can be trained on.
        ignored_boxes: Number of usable boxes that are marked to be ignored.
        phrases: Number of usable phrases.
    """

    problems: list[Problem] = field(default_factory=list)
    usable: bool = True
    boxes: int = 0
    usable_boxes: int = 0
    ignored_boxes: int = 0
    phrases: int = 0

    def fatal(self, where: str, cause: str, message: str) -> 'RowCheck':
        """Add a problem that makes the whole record unusable."""
        self.problems.append(Problem(where, cause, message))
        self.usable = False
        return self


def _is_count(value: object) -> bool:
    return type(value) is int


def box_problem(box: object, width: int, height: int) -> tuple[str, str] | None:
    """Return cause and message of a bad half-open box; None if it is good."""
    if type(box) is list and len(box) == 4:
        x1, y1, x2, y2 = box
        try:
            if 0 <= x1 and x2 - x1 > 1 and 0 <= y1 and y2 - y1 > 1 and x2 <= width and y2 <= height:
                return None
        except TypeError:
            pass
    if not (isinstance(box, list) and len(box) == 4
            and all(type(v) in (int, float) and isfinite(v) for v in box)):
        return 'malformed box', f'{box!r} is not a list of four finite numbers'
    x1, y1, x2, y2 = box
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        return 'box outside the image', f'{box} lies outside the {width} x {height} image'
    if min(x2, width) - max(x1, 0) <= 1 or min(y2, height) - max(y1, 0) <= 1:
        return 'degenerate box', f'{box} is one pixel thin or less in the {width} x {height} image'
    if (min(x1, y1) < -TOLERANCE or x2 > width + TOLERANCE or y2 > height + TOLERANCE):
        return 'box sticks out', f'{box} sticks out of the {width} x {height} image'
    return None


def _check_labels(check: RowCheck, where: str, labels: object,
                  label_map: Mapping[int, str] | None) -> None:
    if not isinstance(labels, list):
        check.problems.append(Problem(where, 'wrong type', f'{labels!r} is not a list of labels'))
        return
    for i, label in enumerate(labels):
        if not _is_count(label) or label_map is not None and label not in label_map:
            check.problems.append(Problem(f'{where}[{i}]', 'unknown label',
                                          f'{label!r} is no label of the map'))


def _check_instance(check: RowCheck, where: str, one: object, width: int, height: int,
                    label_map: Mapping[int, str] | None) -> None:
    check.boxes += 1
    before = len(check.problems)
    if not isinstance(one, dict):
        check.problems.append(Problem(where, 'wrong type', f'{one!r} is not an object'))
        return
    problem = box_problem(one.get('bbox'), width, height)
    if problem is not None:
        check.problems.append(Problem(f'{where}.bbox', *problem))
    label = one.get('label')
    if type(label) is not int:
        cause = 'wrong type' if 'label' in one else 'missing field'
        check.problems.append(Problem(f'{where}.label', cause,
                                      f'label is {label!r}, not a whole number'))
    elif label_map is not None:
        if label not in label_map:
            check.problems.append(Problem(
                f'{where}.label', 'unknown label',
                f'label {label} is not among the {len(label_map)} of the map'))
        elif one.get('category', label_map[label]) != label_map[label]:
            check.problems.append(Problem(
                f'{where}.category', 'wrong category',
                f"category is {one['category']!r}, but label {label} is {label_map[label]!r}"))
    if 'ignore' in one and one['ignore'] not in (0, 1):
        check.problems.append(Problem(f'{where}.ignore', 'wrong type',
                                      f"ignore is {one['ignore']!r}, not 0 or 1"))
    if all(problem.cause in HARMLESS for problem in check.problems[before:]):
        check.usable_boxes += 1
        check.ignored_boxes += bool(one.get('ignore'))


def _check_detection(check: RowCheck, content: object, width: int, height: int,
                     label_map: Mapping[int, str] | None) -> RowCheck:
    if not isinstance(content, dict) or not isinstance(content.get('instances'), list):
        return check.fatal('detection.instances', 'wrong type',
                           f'{content!r:.80} holds no list of instances')
    for i, one in enumerate(content['instances']):
        _check_instance(check, f'detection.instances[{i}]', one, width, height, label_map)
    for key in ('negatives', 'not_exhaustive'):
        if key in content:
            _check_labels(check, f'detection.{key}', content[key], label_map)
    return check


def _squeeze(phrase: object) -> str:
    pieces = phrase if isinstance(phrase, list) else [phrase]
    return ' '.join(' '.join(map(str, pieces)).split())


def _span_problems(where: str, region: dict, caption: str) -> Iterator[Problem]:
    spans = region.get('tokens_positive')
    if not isinstance(spans, list) or not spans:
        yield Problem(f'{where}.tokens_positive', 'no span',
                      f'{spans!r} is not a list of [begin, end) spans')
        return
    for k, span in enumerate(spans):
        if not (isinstance(span, list) and len(span) == 2 and all(map(_is_count, span))):
            yield Problem(f'{where}.tokens_positive[{k}]', 'wrong type',
                          f'{span!r} is not [begin, end] in whole numbers')
            return
        if not 0 <= span[0] < span[1] <= len(caption):
            yield Problem(f'{where}.tokens_positive[{k}]', 'span past the caption',
                          f'{span} is no part of a caption of {len(caption)} characters')
            return
    phrase = region.get('phrase')
    if not (isinstance(phrase, str) or isinstance(phrase, list)
            and all(isinstance(piece, str) for piece in phrase)):
        yield Problem(f'{where}.phrase', 'missing field' if phrase is None else 'wrong type',
                      f'phrase is {phrase!r}, not text')
        return
    pieces = [caption[begin:end] for begin, end in spans]
    if phrase != ' '.join(pieces) and _squeeze(phrase) not in (
            _squeeze(pieces), _squeeze([caption[b:e] for b, e in sorted(spans)])):
        yield Problem(f'{where}.phrase', 'phrase differs',
                      f'phrase is {_squeeze(phrase)!r}, but its spans read {_squeeze(pieces)!r}')


def _check_region(check: RowCheck, where: str, region: object, caption: str, width: int,
                  height: int) -> None:
    if not isinstance(region, dict):
        check.boxes += 1
        check.problems.append(Problem(where, 'wrong type', f'{region!r} is not an object'))
        return
    found = region.get('bbox')
    several = isinstance(found, list) and bool(found) and isinstance(found[0], list)
    boxes: list = region['bbox'] if several else [found]
    good = 0
    for k, box in enumerate(boxes):
        problem = box_problem(box, width, height)
        if problem is not None:
            check.problems.append(Problem(f'{where}.bbox[{k}]' if several else f'{where}.bbox',
                                          *problem))
        good += problem is None or problem[0] in HARMLESS
    if 'score' in region:
        scores = region['score'] if several else [region['score']]
        if not (isinstance(scores, list) and len(scores) == len(boxes)
                and all(type(s) in (int, float) and isfinite(s) for s in scores)):
            check.problems.append(Problem(
                f'{where}.score', 'bad score',
                f"score is {region['score']!r} for {len(boxes)} box{'es' * (len(boxes) > 1)}"))
            good = 0
    spans = list(_span_problems(where, region, caption))
    check.problems += spans
    check.boxes += len(boxes)
    if good and all(problem.cause in HARMLESS for problem in spans):
        check.usable_boxes += good
        check.phrases += 1


def check_row(row: object, label_map: Mapping[int, str] | None = None) -> RowCheck:
    """Check an ODVG record.

    Args:
        row: Parsed line of the file.
        label_map: Label -> class name of detection data; None leaves labels unchecked.

    Returns:
        All faults, and counts of the usable parts.

    Example:
        >>> row = dict(filename='a.jpg', height=9, width=9,
        ...            grounding=dict(caption='a dog', regions=[
        ...                dict(bbox=[0, 0, 5, 5], phrase='dog', tokens_positive=[[2, 9]])]))
        >>> check_row(row).problems[0].message
        '[2, 9] is no part of a caption of 5 characters'
    """
    check = RowCheck()
    if not isinstance(row, dict):
        return check.fatal('line', 'wrong type', f'{row!r:.80} is not a JSON object')
    name, height, width = row.get('filename'), row.get('height'), row.get('width')
    if not isinstance(name, str) or not name:
        check.fatal('filename', 'wrong type' if 'filename' in row else 'missing field',
                    f'filename is {name!r}, not text')
    for key, side in (('height', height), ('width', width)):
        if type(side) is not int or side < 1:
            check.fatal(key, 'bad size' if key in row else 'missing field',
                        f'{key} is {side!r}, not a positive whole number')
    detection, grounding = 'detection' in row, 'grounding' in row
    if detection == grounding:
        return check.fatal('line', 'no content', 'there is both a detection and a grounding part'
                           if detection else 'there is neither a detection nor a grounding part')
    if not check.usable:
        return check
    if detection:
        return _check_detection(check, row['detection'], row['width'], row['height'], label_map)
    content = row['grounding']
    caption = content.get('caption') if isinstance(content, dict) else None
    if not isinstance(caption, str) or not caption.strip():
        return check.fatal('grounding.caption', 'missing field' if caption is None
                           else 'wrong type', f'caption is {caption!r}, not text')
    if not isinstance(content.get('regions'), list):
        return check.fatal('grounding.regions', 'wrong type',
                           f"regions is {content.get('regions')!r:.80}, not a list")
    for i, region in enumerate(content['regions']):
        _check_region(check, f'grounding.regions[{i}]', region, caption, row['width'],
                      row['height'])
    return check
