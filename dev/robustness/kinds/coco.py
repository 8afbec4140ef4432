"""COCO files: the converter, conversion of folders, and the splits of a fine-tuning."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

from dev.robustness.mutations import (
    DAMAGE,
    VALUES,
    dump,
    json_lines,
    places,
    put,
    removed,
    shuffled,
)
from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'COCO files: converter, folders, fine-tuning'
_CLASSES = {4: 'cat', 9: 'dog'}


def prepare(world: World) -> None:
    """Need no more than the pictures."""


def valid(place: Place) -> dict:
    """Draw a valid file of three images."""
    rng = place.rng
    images = [dict(id=11 + i, file_name=f'{i}.png', width=WIDTH, height=HEIGHT) for i in range(3)]
    boxes = []
    for i in range(6):
        w, h = rng.randrange(5, 30), rng.choice([6, 9.5, 20])
        boxes.append(dict(id=100 + i, image_id=11 + i % 3, category_id=(4, 9)[i // 3], iscrowd=0,
                          bbox=[rng.randrange(WIDTH - 30), rng.randrange(HEIGHT - 20), w, h],
                          area=w * h))
    return dict(info=dict(note='a "}" in quotes'), images=images, annotations=boxes,
                categories=[dict(id=k, name=name) for k, name in _CLASSES.items()])


# ------------------------------------------------- what is right, said again in few words

def _id(value: Any) -> Any:
    if type(value) is int:
        return value
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return int(value)
    if isinstance(value, str) and value.strip():
        text = value.strip()
        return int(text) if text.lstrip('-').isdecimal() and str(int(text)) == text else text
    return None


def _number(value: Any) -> float | None:
    if type(value) is int:
        return float(value) if abs(value) < 1 << 63 else None
    if type(value) not in (float, str):
        return None
    try:
        return float(value) if math.isfinite(float(value)) else None
    except ValueError:
        return None


def _side(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number and 1 <= number < 1e9 and number == int(number) else None


def right(content: Any, sizes: bool, clip: bool) -> dict[str, list] | None:
    """Return the boxes of each image, as corners and class; None if the file must be refused.

    Args:
        content: content of the file.
        sizes: whether sizes that are missing are read from the images.
        clip: whether boxes are clipped to their images, and thin ones left out.
    """
    if not isinstance(content, dict) or not all(
            isinstance(content.get(key), list) for key in ('images', 'annotations', 'categories')):
        return None
    names: dict[Any, str] = {}
    for row in content['categories']:
        name = row.get('name') if isinstance(row, dict) else None
        if type(name) in (int, float) and abs(name) < 1 << 63:
            name = f'{name:g}'
        number = _id(row.get('id')) if isinstance(row, dict) else None
        if type(number) is not int or not isinstance(name, str) or not name.strip():
            return None
        if names.setdefault(number, name) != name:
            return None
    images: dict[Any, tuple] = {}
    for row in content['images']:
        if not isinstance(row, dict) or _id(row.get('id')) is None:
            continue
        name, sides = row.get('file_name'), (_side(row.get('width')), _side(row.get('height')))
        if not isinstance(name, str) or not name:
            continue
        name = name.replace('\\', '/')
        if None in sides:
            if not (sizes and name in ('0.png', '1.png', '2.png')):
                continue
            sides = WIDTH, HEIGHT
        if images.setdefault(_id(row['id']), (name, *sides)) != (name, *sides):
            return None
    boxes: dict[str, list] = {name: [] for name, _, _ in images.values()}
    for row in content['annotations']:
        one = _box(row, images, names, clip)
        if one is not None:
            boxes[images[_id(row['image_id'])][0]].append(one)
    if not names or not images or not any(boxes.values()):
        return None
    return {name: sorted(found) for name, found in boxes.items()}


def _box(row: Any, images: dict, names: dict, clip: bool) -> tuple | None:
    if not isinstance(row, dict) or _id(row.get('image_id')) not in images:
        return None
    label = _id(row.get('category_id'))
    values = row.get('bbox')
    if label not in names or not isinstance(values, list) or len(values) != 4:
        return None
    numbers = [_number(v) for v in values]
    if any(n is None or abs(n) >= 1e9 for n in numbers):
        return None
    x, y, w, h = (float(n or 0) for n in numbers)
    _, width, height = images[_id(row['image_id'])]
    if w <= 0 or h <= 0 or x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return None
    x2, y2 = x + w, y + h
    if clip:
        x, y, x2, y2 = max(x, 0.), max(y, 0.), min(x2, width), min(y2, height)
        if x2 - x <= 1 or y2 - y <= 1:
            return None
    return (round(x, 3), round(y, 3), round(x2, 3), round(y2, 3)), names[label]


# ------------------------------------------------- attacks

def notation(place: Place, content: dict, use: Any = None) -> tuple[str, bytes]:
    """Write the content of a file otherwise; return what was done, and the bytes."""
    what = place.rng.choice(['order and more keys', 'ids as texts', 'ids as floats', 'UTF-16',
                             'byte order mark', 'CRLF', 'boxes as texts', 'null area',
                             'backslashes', 'repeated image', 'leading zeros',
                             *(['gzip'] if use is _converter else [])])
    text = None
    for section in ('images', 'annotations', 'categories'):
        for row in content[section]:
            for key in [k for k in row if k == 'id' or k.endswith('_id')]:
                if what == 'ids as texts' or what == 'leading zeros' and key == 'image_id':
                    row[key] = str(row[key]).zfill(5 if what == 'leading zeros' else 1)
                if what == 'ids as floats':
                    row[key] = float(row[key])
            if what == 'boxes as texts' and 'bbox' in row:
                row['bbox'] = [str(v) for v in row['bbox']]
            if what == 'null area' and 'bbox' in row:
                row.update(area=None, iscrowd=None)
            if what == 'backslashes' and 'file_name' in row:
                row['file_name'] = row['file_name'].replace('/', '\\')
    if what == 'repeated image':
        content['images'].append(content['images'][0])
    if what == 'order and more keys':
        content = shuffled(place.rng, content)
    if what == 'CRLF':
        text = json.dumps(content, indent=1).replace('\n', '\r\n')
    data = (text or json.dumps(content)).encode('utf-16' if what == 'UTF-16' else 'utf-8')
    if what == 'byte order mark':
        data = b'\xef\xbb\xbf' + data
    return f'notation: {what}', gzip.compress(data) if what == 'gzip' else data


def _attacked(place: Place, content: dict, use: Any) -> tuple[str, bytes, Any]:
    """Return an attack in words, the bytes of the file, and the content it must be read as."""
    rng, drawn = place.rng, place.rng.random()
    if drawn < .25:
        return *notation(place, json.loads(json.dumps(content)), use), content
    if drawn < .35:
        cause = rng.choice(sorted(DAMAGE))
        return f'damage: {cause}', DAMAGE[cause](rng, json.dumps(content).encode()), None
    if drawn < .4:
        key = rng.choice(['images', 'categories'])
        row = dict(content[key][0], **{'file_name' if key == 'images' else 'name': 'other.png'})
        return f'two of one id: {key}', json.dumps({**content, key: [*content[key], row]}
                                                   ).encode(), None
    if drawn < .5:
        name = rng.choice([place.out('secret.png', place.folder), str(place.outside / 'secret.png'),
                           '../' * 40 + 'etc/passwd', '~/x.png', '$HOME/x.png', 'file:///x.png'])
        attacked = put(content, ('images', 1, 'file_name'), name)
        if rng.random() < .5:
            attacked = removed(attacked, ('images', 1, 'width'))
        return f'file name {name}', json.dumps(attacked).encode(), attacked
    path = rng.choice([p for p in places(content) if p[0] != 'info'])
    if rng.random() < .15:
        attacked = removed(content, path)
        return f'without {path}', json.dumps(attacked).encode(), attacked
    value = rng.choice(VALUES)
    attacked = put(content, path, value)
    text = dump(attacked)
    if value == '@deepest@':
        return f'{path} nested without end', text.encode(), None
    return f'{path} is {value!r:.40}', text.encode(), put(
        content, path, [[]] if value == '@deep@' else value)


def make(place: Place) -> Try:
    """Write a file, and read it in one of three ways."""
    content = valid(place)
    use = place.rng.choice([_converter, _folder, _folder_to_odvg, _finetuning])
    what, data, meant = _attacked(place, content, use)
    folder = place.folder / 'data'
    for number in range(3):
        place.world.link(number, folder / f'{number}.png')
    (folder / '_annotations.coco.json').write_bytes(data)
    return use(what, folder, meant)


def _compare(expected: dict | None, exact: bool = True) -> Any:
    if expected is None:
        return None

    def wrong(found: dict[str, list]) -> str | None:
        # images that cannot be there may be left out
        real = {k: v for k, v in expected.items() if k in ('0.png', '1.png', '2.png')}
        for name, boxes in real.items():
            if name not in found and (boxes or exact):
                return f'{name} is lost'
            got = sorted((tuple(round(v, 3) for v in box), label)
                         for box, label in found.get(name, ()))
            if got != boxes:
                return f'{name}: {got} where {boxes} is right'
        more = set(found) - set(expected)
        return f'images {sorted(more)} come from nowhere' if more else None
    return wrong


def _converter(what: str, folder: Path, meant: Any) -> Try:
    file = folder / '_annotations.coco.json'

    def act() -> dict:
        run_tool('tools/dataset_converters/coco2odvg.py', file, '-o', 'out.jsonl')
        return detected(Path('out.jsonl'))

    expected = right(meant, False, True)
    return Try(f'converter: {what}', act, _compare(expected),
               ('_annotations.coco.json', ) if expected is None else None)


def detected(file: Path) -> dict[str, list]:
    """Read the boxes and class names of each image from ODVG lines."""
    labels = json.loads(file.with_name(f'{file.stem}_label_map.json').read_text())
    return {row['filename']: [(box['bbox'], labels[str(box['label'])])
                              for box in row['detection']['instances']]
            for row in json_lines(file)}


def _folder_to_odvg(what: str, folder: Path, meant: Any) -> Try:
    def act() -> dict:
        run_tool('tools/dataset_converters/convert_folder.py', folder, '-o', 'out')
        return detected(Path('out/all.jsonl'))

    expected = right(meant, True, True)
    return Try(f'folder to ODVG: {what}', act, _compare(expected),
               ('data', ) if expected is None else None)


def _folder(what: str, folder: Path, meant: Any) -> Try:
    def act() -> dict:
        run_tool('tools/dataset_converters/convert_folder.py', folder, '--to', 'coco', '-o', 'out')
        return _read([Path('out/all.json')])

    expected = right(meant, True, False)
    return Try(f'folder: {what}', act, _compare(expected),
               ('data', ) if expected is None else None)


def _finetuning(what: str, folder: Path, meant: Any) -> Try:
    def act() -> dict:
        from glip_mm.finetuning.data import folder_splits
        splits = folder_splits(folder, val_fraction=.4, out=Path('out'))
        return _read([splits.train.ann_file, splits.val.ann_file])

    expected = right(meant, True, False)
    # a split that lost its boxes is refused as well
    named = ('data', ) if expected is None else ('out/', ) if min(
        map(len, expected.values())) < 2 or len(expected) < 3 else None
    if expected is not None and any('\0' in name or not name.isascii() for name in expected):
        named = ('data', )
    return Try(f'fine-tuning: {what}', act, _compare(expected, exact=False),
               named if named != ('out/', ) else ('', ))


def _read(files: list[Path]) -> dict[str, list]:
    found: dict[str, list] = {}
    for file in files:
        content = json.loads(file.read_text())
        names = {row['id']: row['name'] for row in content['categories']}
        images = {row['id']: row['file_name'] for row in content['images']}
        for name in images.values():
            found.setdefault(name, [])
        for row in content['annotations']:
            x, y, w, h = row['bbox']
            found[images[row['image_id']]].append(([x, y, x + w, y + h], names[row['category_id']]))
    return found
