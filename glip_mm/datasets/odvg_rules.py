"""Rules of valid ODVG records, shared by training, export, review and validation.

A fault costs the smallest part that it makes unusable: a box, rather than its image. Only a row
without usable structure (no file name, no size, no caption, ...) is lost as a whole.
"""

import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeGuard

from glip_mm.limits import CAPTION
from glip_mm.text.names import is_blank

MIXED_UP = 'category of another label'
#: Cause -> remedy. Causes are short, so that they can be counted.
REMEDIES = {
    'not JSON': 'write one JSON object a line, as the converters do',
    'wrong type': 'write the type that is asked for',
    'missing field': 'add it',
    'no content': "give either 'detection' or 'grounding'",
    'blank name': 'name what the box shows, in words',
    'bad file name': 'write the path of the image below the image root',
    'bad size': 'write the width and height of the image in whole pixels',
    'malformed box': 'write [x1, y1, x2, y2] in finite pixels',
    'degenerate box': 'x2 must be more than x1 + 1 and y2 more than y1 + 1, or drop the box; was '
                      'it written as x, y, width, height?',
    'box outside the image': 'drop it, or correct the width and height of the image',
    'box sticks out': 'clip it to the image',
    'unknown label': 'use the label map that was written with this file',
    'wrong category': 'use the label map that was written with this file',
    MIXED_UP: 'use the label map that was written with this file',
    'span past the caption': 'spans are [begin, end) characters of the caption, begin < end',
    'no span': 'give each phrase its characters in the caption, or drop the region',
    'phrase differs': 'write as phrase what the spans cut out of the caption',
    'long caption': 'shorten it: a model reads its first 256 tokens or so',
    'bad score': 'write one finite number for each box',
    'lone surrogate': 'write the text in UTF-8; each half of a pair is read as \ufffd',
    'duplicate row': 'drop one of them; lists that repeat rows on purpose pass with '
                     '--allow-duplicates',
    'missing image': 'correct the image root or the file name, or fetch the image',
    'broken image': 'fetch the image again, or drop the row',
    'size differs from the image': 'correct width and height, or scale the boxes',
}
#: Tolerance of box edges outside the image in pixels, for rounding errors.
TOLERANCE = 0.01
#: Causes that cost nothing: readers clip boxes, go by label and span, and replace characters.
HARMLESS = frozenset({'box sticks out', 'wrong category', 'phrase differs', 'lone surrogate',
                      'duplicate row'})
#: Bound of sides, coordinates, labels and scores: what an index and float32 can hold.
LIMIT = 1 << 31

_NUMBERS = frozenset({int, float})
_shown = reprlib.Repr()  # of any value: neither long nor deep
_shown.maxstring = _shown.maxother = 80
_shown.maxlevel = 3


class Problem(NamedTuple):
    """A fault of a record: its place, its cause (see :data:`REMEDIES`) and the details."""

    field: str
    cause: str
    message: str

    def __str__(self) -> str:
        return f'{self.field}: {self.message}; {REMEDIES[self.cause]}'


@dataclass
class RowCheck:
    """Result of checking a record.

    Attributes:
        problems: All faults.
        record: Usable part of the record, see :func:`clean`; None if there is none.
        boxes: Number of boxes.
        usable_boxes: Number of boxes that can be trained on.
        ignored_boxes: Number of usable boxes that are marked to be ignored.
        phrases: Number of usable phrases.
        dropped: Fault of each box that is left out of ``record``.
        lost_regions: Number of regions of which not even the phrase is usable.
        fatal_problem: First fault that makes the whole record unusable.
    """

    problems: list[Problem] = field(default_factory=list)
    record: dict | None = None
    boxes: int = 0
    usable_boxes: int = 0
    ignored_boxes: int = 0
    phrases: int = 0
    dropped: list[Problem] = field(default_factory=list)
    lost_regions: int = 0
    fatal_problem: Problem | None = None

    @property
    def usable(self) -> bool:
        """Return whether the record can be used, possibly without its bad boxes."""
        return self.record is not None

    def fatal(self, where: str, cause: str, message: str) -> 'RowCheck':
        """Add a problem that makes the whole record unusable."""
        problem = Problem(where, cause, message)
        self.problems.append(problem)
        self.fatal_problem = self.fatal_problem or problem
        self.record = None
        return self


def is_count(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number below :data:`LIMIT`, and no truth value."""
    return type(value) is int and -LIMIT < value < LIMIT


def _is_number(value: object) -> TypeGuard[float]:
    # comparing excludes what is not finite, and never overflows as a conversion would
    return type(value) in _NUMBERS and -LIMIT < value < LIMIT  # type: ignore[operator]


def is_text(value: object) -> TypeGuard[str]:
    """Return whether a value is text without lone halves of surrogate pairs."""
    try:
        return isinstance(value, str) and bool(value.encode() or True)
    except UnicodeEncodeError:
        return False


def mended(text: str | list[str]) -> str | list[str]:
    """Replace lone surrogates, which no tokenizer accepts; spans stay what they are."""
    if isinstance(text, list):
        return [str(mended(piece)) for piece in text]
    return text if is_text(text) else ''.join(
        '\ufffd' if '\ud800' <= character <= '\udfff' else character for character in text)


def box_problem(box: object, width: int, height: int) -> tuple[str, str] | None:
    """Return cause and message of a bad half-open box; None if it is good."""
    if not (type(box) is list and len(box) == 4 and _NUMBERS.issuperset(map(type, box))
            and -LIMIT < box[0] < LIMIT and -LIMIT < box[1] < LIMIT
            and -LIMIT < box[2] < LIMIT and -LIMIT < box[3] < LIMIT):
        return 'malformed box', f'{_shown.repr(box)} is not a list of four finite numbers'
    x1, y1, x2, y2 = box
    if 0 <= x1 and x2 - x1 > 1 and 0 <= y1 and y2 - y1 > 1 and x2 <= width and y2 <= height:
        return None
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        return 'box outside the image', f'{box} lies outside the {width} x {height} image'
    if min(x2, width) - max(x1, 0) <= 1 or min(y2, height) - max(y1, 0) <= 1:
        return 'degenerate box', f'{box} is one pixel thin or less in the {width} x {height} image'
    if (min(x1, y1) < -TOLERANCE or x2 > width + TOLERANCE or y2 > height + TOLERANCE):
        return 'box sticks out', f'{box} sticks out of the {width} x {height} image'
    return None


# ---------------------------------------------------------------- detection

def _clean_labels(check: RowCheck, where: str, labels: list,
                  label_map: Mapping[int, str] | None) -> list[int]:
    """Return the valid labels of a list."""
    valid = []
    for i, label in enumerate(labels):
        if not is_count(label) or label_map is not None and label not in label_map:
            check.problems.append(Problem(f'{where}[{i}]', 'unknown label',
                                          f'{_shown.repr(label)} is no label of the map'))
        else:
            valid.append(label)
    return valid


def _instance_problems(where: str, one: object, width: int, height: int,
                       label_map: Mapping[int, str] | None) -> Iterator[Problem]:
    if not isinstance(one, dict):
        yield Problem(where, 'wrong type', f'{_shown.repr(one)} is not an object')
        return
    problem = box_problem(one.get('bbox'), width, height)
    if problem is not None:
        yield Problem(f'{where}.bbox', *problem)
    label = one.get('label')
    if not is_count(label):
        cause = 'wrong type' if 'label' in one else 'missing field'
        yield Problem(f'{where}.label', cause,
                      f'label is {_shown.repr(label)}, not a whole number')
    elif label_map is not None:
        if label not in label_map:
            yield Problem(f'{where}.label', 'unknown label',
                          f'label {label} is not among the {len(label_map)} of the map')
        elif one.get('category', label_map[label]) != label_map[label]:
            # a name may be spelt otherwise, but that of another label is a mix-up of classes
            yield Problem(f'{where}.category', MIXED_UP
                          if one['category'] in label_map.values() else 'wrong category',
                          f"category is {_shown.repr(one['category'])}, but label {label} is "
                          f'{label_map[label]!r}')
    elif not is_text(one.get('category', '')):
        yield Problem(f'{where}.category', 'wrong type',
                      f"category is {_shown.repr(one['category'])}, not text")
    elif 'category' in one and is_blank(one['category']):
        yield Problem(f'{where}.category', 'blank name',
                      f"category is {ascii(one['category'])}, of which nothing is to be seen")
    if 'ignore' in one and one['ignore'] not in (0, 1):
        yield Problem(f'{where}.ignore', 'wrong type',
                      f"ignore is {_shown.repr(one['ignore'])}, not 0 or 1")
    if 'score' in one and not _is_number(one['score']):
        yield Problem(f'{where}.score', 'bad score',
                      f"score is {_shown.repr(one['score'])}, not a finite number")


def _clean_detection(check: RowCheck, content: object, width: int, height: int,
                     label_map: Mapping[int, str] | None) -> dict | None:
    if not isinstance(content, dict) or not isinstance(content.get('instances'), list):
        check.fatal('detection.instances', 'wrong type',
                    f'{_shown.repr(content)} holds no list of instances')
        return None
    lists: dict[str, list[int]] = {}
    for key in ('negatives', 'not_exhaustive'):
        if key in content:
            if not isinstance(content[key], list):
                # without either list, absent classes would be guessed
                check.fatal(f'detection.{key}', 'wrong type',
                            f'{_shown.repr(content[key])} is not a list of labels')
                return None
            lists[key] = _clean_labels(check, f'detection.{key}', content[key], label_map)
    kept: list[dict] = []
    seen: set[int] = set()
    for i, one in enumerate(content['instances']):
        check.boxes += 1
        faults = list(_instance_problems(f'detection.instances[{i}]', one, width, height,
                                         label_map))
        check.problems += faults
        fatal = next((f for f in faults if f.cause not in HARMLESS), None)
        if fatal is None:
            kept.append(one)
            check.usable_boxes += 1
            check.ignored_boxes += bool(one.get('ignore'))
        else:
            check.dropped.append(fatal)
            label = one.get('label') if isinstance(one, dict) else None
            if is_count(label) and (label_map is None or label in label_map):
                seen.add(label)
    if len(kept) < len(content['instances']):
        # the image may well show what a lost box was about: its class is no proven negative
        lists['not_exhaustive'] = sorted(seen.union(lists.get('not_exhaustive', ())))
    return {**content, **lists, 'instances': kept}


# ---------------------------------------------------------------- grounding

def _squeeze(phrase: object) -> str:
    pieces = phrase if isinstance(phrase, list) else [phrase]
    return ' '.join(' '.join(map(str, pieces)).split())


def _span_problems(where: str, region: dict, caption: str) -> Iterator[Problem]:
    spans = region.get('tokens_positive')
    if not isinstance(spans, list) or not spans:
        yield Problem(f'{where}.tokens_positive', 'no span',
                      f'{_shown.repr(spans)} is not a list of [begin, end) spans')
        return
    for k, span in enumerate(spans):
        if not (isinstance(span, list) and len(span) == 2 and all(map(is_count, span))):
            yield Problem(f'{where}.tokens_positive[{k}]', 'wrong type',
                          f'{_shown.repr(span)} is not [begin, end] in whole numbers')
            return
        if not 0 <= span[0] < span[1] <= len(caption):
            yield Problem(f'{where}.tokens_positive[{k}]', 'span past the caption',
                          f'{span} is no part of a caption of {len(caption)} characters')
            return
    phrase = region.get('phrase')
    if not (isinstance(phrase, str) or isinstance(phrase, list)
            and all(isinstance(piece, str) for piece in phrase)):
        yield Problem(f'{where}.phrase', 'missing field' if phrase is None else 'wrong type',
                      f'phrase is {_shown.repr(phrase)}, not text')
        return
    pieces = [caption[begin:end] for begin, end in spans]
    phrase = mended(phrase)
    if phrase != ' '.join(pieces) and _squeeze(phrase) not in (
            _squeeze(pieces), _squeeze([caption[b:e] for b, e in sorted(spans)])):
        yield Problem(f'{where}.phrase', 'phrase differs',
                      f'phrase is {_squeeze(phrase)!r}, but its spans read {_squeeze(pieces)!r}')


def _box_faults(where: str, region: dict, boxes: list, several: bool, width: int, height: int
                ) -> Iterator[list[Problem]]:
    """Iterate over the faults of each box of a region, those of its score included."""
    scores = region['score'] if several and 'score' in region else [region.get('score')]
    paired = isinstance(scores, list) and len(scores) == len(boxes)
    for k, box in enumerate(boxes):
        place = f'[{k}]' if several else ''
        problem = box_problem(box, width, height)
        faults = [] if problem is None else [Problem(f'{where}.bbox{place}', *problem)]
        if 'score' in region and not paired:
            faults.append(Problem(f'{where}.score', 'bad score',
                                  f"score is {_shown.repr(region['score'])} for {len(boxes)} "
                                  f"box{'es' * (len(boxes) > 1)}"))
        elif 'score' in region and not _is_number(scores[k]):
            faults.append(Problem(f'{where}.score{place}', 'bad score',
                                  f'score is {_shown.repr(scores[k])}, not a finite number'))
        yield faults


def _clean_region(check: RowCheck, where: str, region: object, caption: str, width: int,
                  height: int) -> tuple[dict | None, dict | None]:
    """Return the usable part of a region, or else its phrase, or else nothing."""
    if not isinstance(region, dict):
        check.boxes += 1
        fault = Problem(where, 'wrong type', f'{_shown.repr(region)} is not an object')
        check.problems.append(fault)
        check.dropped.append(fault)
        return None, None
    found = region.get('bbox')
    several = isinstance(found, list) and bool(found) and isinstance(found[0], list)
    boxes: list = region['bbox'] if several else [found]
    check.boxes += len(boxes)
    spans = list(_span_problems(where, region, caption))
    unnamed = next((f for f in spans if f.cause not in HARMLESS), None)
    good = []
    for k, faults in enumerate(_box_faults(where, region, boxes, several, width, height)):
        # a fault of all scores is said once
        check.problems += [fault for fault in faults if fault not in check.problems[-1:]]
        fatal = next((f for f in faults if f.cause not in HARMLESS), unnamed)
        if fatal is None:
            good.append(k)
        else:
            check.dropped.append(fatal)
    check.problems += spans
    if unnamed is not None:
        return None, None
    region = {**region, 'phrase': mended(region['phrase'])}
    if not good:
        return None, {key: region[key] for key in ('phrase', 'tokens_positive')}
    check.usable_boxes += len(good)
    check.phrases += 1
    if len(good) < len(boxes):
        region = {**region, **{key: [region[key][k] for k in good]
                               for key in ('bbox', 'score') if key in region}}
    return region, None


def _clean_grounding(check: RowCheck, content: object, width: int, height: int) -> dict | None:
    caption = content.get('caption') if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(caption, str) or is_blank(caption):
        check.fatal('grounding.caption', 'missing field' if caption is None else 'wrong type',
                    f'caption is {_shown.repr(caption)}, not text')
        return None
    if len(caption) > CAPTION.value:
        check.fatal('grounding.caption', 'long caption',
                    f'caption has {len(caption):,} characters, more than {CAPTION}')
        return None
    if not isinstance(content.get('regions'), list):
        check.fatal('grounding.regions', 'wrong type',
                    f"regions is {_shown.repr(content.get('regions'))}, not a list")
        return None
    if not is_text(caption):
        caption = str(mended(caption))
        check.problems.append(Problem('grounding.caption', 'lone surrogate',
                                      f'caption is {_shown.repr(content["caption"])}'))
    regions, without = [], []
    for i, region in enumerate(content['regions']):
        kept, phrase = _clean_region(check, f'grounding.regions[{i}]', region, caption, width,
                                     height)
        if kept is not None:
            regions.append(kept)
        elif phrase is not None:
            without.append(phrase)
        else:
            check.lost_regions += 1
    listed = content.get('without_box', [])
    if not isinstance(listed, list):
        check.problems.append(Problem('grounding.without_box', 'wrong type',
                                      f'{_shown.repr(listed)} is not a list of phrases'))
        listed = []
    for i, entry in enumerate(listed):
        where = f'grounding.without_box[{i}]'
        faults = (list(_span_problems(where, entry, caption)) if isinstance(entry, dict) else
                  [Problem(where, 'wrong type', f'{_shown.repr(entry)} is not an object')])
        check.problems += faults
        if all(f.cause in HARMLESS for f in faults):
            without.append({**entry, 'phrase': mended(entry['phrase'])})
    return {**content, 'caption': caption, 'regions': regions,
            **({'without_box': without} if without or 'without_box' in content else {})}


# ---------------------------------------------------------------- rows

def check_row(row: object, label_map: Mapping[int, str] | None = None) -> RowCheck:
    """Check an ODVG record.

    Args:
        row: Parsed line of the file.
        label_map: Label -> class name of detection data; None leaves labels unchecked.

    Returns:
        All faults, the usable part of the record (see :func:`clean`), and its counts.

    Example:
        >>> row = dict(filename='a.jpg', height=9, width=9,
        ...            grounding=dict(caption='a dog', regions=[
        ...                dict(bbox=[0, 0, 5, 5], phrase='dog', tokens_positive=[[2, 9]])]))
        >>> check_row(row).problems[0].message
        '[2, 9] is no part of a caption of 5 characters'
    """
    check = RowCheck()
    if not isinstance(row, dict):
        return check.fatal('line', 'wrong type', f'{_shown.repr(row)} is not a JSON object')
    name, height, width = row.get('filename'), row.get('height'), row.get('width')
    if not isinstance(name, str) or not name:
        check.fatal('filename', 'wrong type' if 'filename' in row else 'missing field',
                    f'filename is {_shown.repr(name)}, not text')
    elif '\0' in name or not is_text(name):
        check.fatal('filename', 'bad file name',
                    f'no file is called {_shown.repr(name)}')
    for key, side in (('height', height), ('width', width)):
        if not is_count(side) or side < 1:
            check.fatal(key, 'bad size' if key in row else 'missing field',
                        f'{key} is {_shown.repr(side)}, not a positive whole number')
    kinds = [kind for kind in ('detection', 'grounding') if kind in row]
    if len(kinds) != 1:
        return check.fatal('line', 'no content', 'there is both a detection and a grounding part'
                           if kinds else 'there is neither a detection nor a grounding part')
    if check.problems:
        return check
    if 'image_id' in row and not (is_count(row['image_id']) or is_text(row['image_id'])):
        check.problems.append(Problem('image_id', 'wrong type', f'image_id is '
                                      f"{_shown.repr(row['image_id'])}, neither number nor text"))
        row = {key: value for key, value in row.items() if key != 'image_id'}
    content: Any = row[kinds[0]]
    cleaned = (_clean_detection(check, content, row['width'], row['height'], label_map)
               if kinds == ['detection'] else
               _clean_grounding(check, content, row['width'], row['height']))
    if cleaned is not None:
        check.record = {**row, kinds[0]: cleaned}
    return check


def clean(row: object, label_map: Mapping[int, str] | None = None
          ) -> tuple[dict | None, list[Problem]]:
    """Reduce an ODVG record to what can be used.

    A box that is malformed, outside its image or at most a pixel thin, of an unknown label, with a
    bad score or with spans that are no part of the caption is dropped; the image stays. What the
    lost box showed is then neither a positive nor proven to be absent:

    * detection: its label joins ``not_exhaustive``, so that it is not drawn as a negative;
    * grounding: a phrase that lost all its boxes joins ``without_box``. Its words stay in the
      caption, and the published loss takes them for background there, as it does every word
      without a box; ``FilterPseudoBoxes(complete=True)`` rejects such captions of pseudo boxes.

    Args:
        row: Parsed line of the file; it is not changed.
        label_map: Label -> class name of detection data; None leaves labels unchecked.

    Returns:
        The record without its bad boxes, None if there is nothing to use in it; and all faults.

    Example:
        >>> row = dict(filename='a.jpg', height=9, width=9, detection=dict(instances=[
        ...     dict(bbox=[0, 0, 5, 5], label=0), dict(bbox=[3, 3, 3, 8], label=2)]))
        >>> clean(row)[0]['detection']
        {'instances': [{'bbox': [0, 0, 5, 5], 'label': 0}], 'not_exhaustive': [2]}
    """
    check = check_row(row, label_map)
    return check.record, check.problems
