"""Bundles of TSV files: YAML, rows, sizes, indices, line lists and images."""

import base64
import json
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

TITLE = 'TSV bundles: converter, training'
_CLASSES = {'cat': 1, 'dog': 2}
_FILES = dict(img='i.tsv', label='l.tsv', hw='h.tsv', labelmap='map.json', linelist='lines.tsv')
_BOMB = ('a: &a [x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'{b}: &{b} [{", ".join([f"*{a}"] * 9)}]\n' for a, b in zip('abcdefgh', 'bcdefghi')))


def prepare(world: World) -> None:
    """Need no more than the pictures."""


def _objects(place: Place) -> list[dict]:
    x, y = place.rng.randrange(60), place.rng.randrange(40)
    return [dict(rect=[x, y, x + 9, y + place.rng.choice([7, 7.5])], **{'class': name}, conf=.5)
            for name in place.rng.choices(list(_CLASSES), k=2)]


def right(content: Any) -> list | None:
    """Return the boxes of a row, half open, with their classes; None if it is none."""
    rows = content.get('objects') if isinstance(content, dict) else content
    if isinstance(content, dict) and isinstance(content.get('caption'), str):
        rows = None
    if not isinstance(rows, list):
        return None
    found = []
    for row in rows:
        rect = row.get('rect') if isinstance(row, dict) else None
        if not isinstance(rect, list) or len(rect) != 4 or not all(
                type(v) in (int, float) and abs(v) < 1e9 for v in rect):
            continue
        name = row.get('class')
        box = (max(rect[0], 0), max(rect[1], 0), min(rect[2] + 1, WIDTH), min(rect[3] + 1, HEIGHT))
        if isinstance(name, str) and name in _CLASSES and min(box[2] - box[0],
                                                              box[3] - box[1]) > 1:
            found.append((box, name))
    return sorted(found)


class _Bundle:
    """A valid bundle, and the boxes of each image."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.contents: list[Any] = [_objects(place) for _ in range(3)]
        self.cells = [dump(content) for content in self.contents]
        self.keys = ['k0', 'k1', 'k2']
        self.sizes = [json.dumps([dict(height=HEIGHT, width=WIDTH)])] * 3
        self.images = [base64.b64encode((place.world.folder / f'{i}.png').read_bytes()).decode()
                       for i in range(3)]
        self.text = ''.join(f'{key}: {name}\n' for key, name in _FILES.items())
        self.end, self.index = '\n', True
        self.files: dict[str, bytes] = {}
        #: key -> boxes; None: the whole bundle must be refused.
        self.right: dict[str, list | None] | None = {
            key: right(content) for key, content in zip(self.keys, self.contents)}
        #: Whether a refusal is as good as a value.
        self.either = False

    def write(self, folder: Path) -> None:
        folder.mkdir()
        for name, cells in (('l', self.cells), ('h', self.sizes), ('i', self.images)):
            rows = [f'{key}\t{cell}{self.end}'.encode(errors='surrogatepass')
                    for key, cell in zip(self.keys, cells)]
            (folder / f'{name}.tsv').write_bytes(b''.join(rows))
            if self.index:
                ends = [0, len(rows[0]), len(rows[0] + rows[1])]
                (folder / f'{name}.lineidx').write_text(''.join(f'{n}\n' for n in ends))
        (folder / 'map.json').write_text(json.dumps(dict(label_to_idx=_CLASSES)))
        (folder / 'lines.tsv').write_text('0\n1\n2\n1\n')
        (folder / 'b.yaml').write_text(self.text)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def _notation(bundle: _Bundle) -> str:
    rng = bundle.place.rng
    what = rng.choice(['CRLF', 'no index', 'wrong index', 'sizes as text', 'names one a line',
                       'byte order mark', 'keys of YAML', 'objects in an object', 'more keys'])
    if what == 'CRLF':
        bundle.end = '\r\n'
    if what == 'no index':
        bundle.index = False
    if what == 'wrong index':
        bundle.files['l.lineidx'] = rng.choice([b'0\n3\n9\n', b'', b'x', b'0\n99999999\n', b'-1\n'])
    if what == 'sizes as text':
        bundle.sizes = [f'{HEIGHT} {WIDTH}'] * 3
    if what == 'names one a line':
        bundle.files['map.json'] = b'cat\ndog\n'
    if what == 'byte order mark':
        bundle.files['b.yaml'] = b'\xef\xbb\xbf' + bundle.text.encode()
    if what == 'keys of YAML':
        bundle.text = '# a comment\n' + ''.join(sorted(
            f'"{key}":   \'{name}\'\nmore_{key}: 7\n' for key, name in _FILES.items()))
    if what == 'objects in an object':
        bundle.cells = [dump(dict(objects=content, img_id=7)) for content in bundle.contents]
    if what == 'more keys':
        bundle.cells = [dump(shuffled(rng, content)) for content in bundle.contents]
    return f'notation: {what}'


def _row(bundle: _Bundle) -> str:
    rng, number = bundle.place.rng, bundle.place.rng.randrange(3)
    content, key = bundle.contents[number], bundle.keys[number]
    path = rng.choice(list(places(content)))
    if rng.random() < .2:
        changed, what = removed(content, path), f'without {path}'
        bundle.cells[number] = dump(changed)
    elif rng.random() < .2:
        cause = rng.choice(sorted(set(DAMAGE) - {'nothing'}))
        cell = DAMAGE[cause](rng, dump(content).encode()).replace(b'\n', b' ').replace(b'\r', b'')
        bundle.cells[number] = cell.decode('latin-1') if cause != 'a byte that is no UTF-8' else (
            dump(content) + ' \ud800')
        changed, what = None, f'a damaged row: {cause}'
    else:
        value = rng.choice(VALUES)
        what = f'{path} is {value!r:.40}'
        bundle.cells[number] = dump(put(content, path, value))
        # a cell nested beyond the documented limit is lost as a whole
        deep = isinstance(value, str) and value.startswith('@deep')
        changed = None if deep else put(content, path, value)
    assert bundle.right is not None
    bundle.right[key] = right(changed)
    return what


def _key(bundle: _Bundle) -> str:
    place = bundle.place
    name = place.rng.choice([place.out('canary', place.folder), str(place.outside / 'canary'),
                             '../canary', 'a\0b', 'x' * 300, 'a/../../../../canary'])
    bundle.right = {key: boxes for key, boxes in (bundle.right or {}).items() if key != 'k1'}
    bundle.keys[1] = name
    return f'the key {name:.60}'


def _yaml(bundle: _Bundle) -> str:
    place = bundle.place
    secret = place.out('secret.json', place.folder / 'data')
    attacks = {
        'labels outside': bundle.text.replace('l.tsv', secret),
        'labels at an absolute place outside': bundle.text.replace(
            'l.tsv', str(place.outside / 'secret.json')),
        'code': bundle.text + f'x: !!python/object/apply:os.system ["touch {place.outside}/c"]\n',
        'an object': bundle.text + 'x: !!python/name:os.system\n',
        'a bomb': _BOMB + bundle.text, 'no label': bundle.text.replace('label:', 'labels:'),
        'a list': '- a\n- b\n', 'no YAML': 'label: [\n', 'nothing': '',
        'a missing file': bundle.text.replace('l.tsv', 'gone.tsv'),
        'a folder': bundle.text.replace('l.tsv', '.'),
        'a device': bundle.text.replace('l.tsv', '/dev/zero'),
        'nesting': 'label: ' + '[' * 9999 + ']' * 9999,
        'a mapping as a file': bundle.text.replace('l.tsv', '{a: 1}'),
        'a name with NUL': bundle.text.replace('l.tsv', '"a\\0b"')}
    what = place.rng.choice(sorted(attacks))
    bundle.text, bundle.right = attacks[what], None
    return f'YAML with {what}'


def _file(bundle: _Bundle) -> str:
    """Damage a file that the rows need."""
    rng = bundle.place.rng
    what, name, content, fatal = rng.choice([
        ('a label map that is damaged', 'map.json', b'\xff\xfe\0', True),
        ('a label map of a list', 'map.json', b'[1, 2]', True),
        ('a label map with texts as indices', 'map.json', b'{"cat": "x"}', True),
        ('a label map without end', 'map.json', b'[' * 99999 + b']' * 99999, True),
        ('a line list with words', 'lines.tsv', b'0\none\n2\n', True),
        ('a line list with a huge number', 'lines.tsv', b'0\n1\n2\n' + b'9' * 40 + b'\n', True),
        ('a line list of huge numbers', 'lines.tsv', b'9' * 5000, True),
        ('a line list that is damaged', 'lines.tsv', b'\xff\xfe\0', True),
        ('a line list past the end', 'lines.tsv', b'0\n1\n2\n99\n', False),
        ('a line list with blanks', 'lines.tsv', b'0\n\n1\n2\n\n', False),
        ('an index that is no number', 'l.lineidx', b'\xff\xff', False)])
    bundle.files[name] = content
    if fatal:
        bundle.right = None
    return what


def _size(bundle: _Bundle) -> str:
    rng = bundle.place.rng
    cell = rng.choice(['', '0 5', '-5 7', 'x y', '{"height": 3}', '[]', '[[]]', 'null', '{}', '7',
                       '[' * 99999 + ']' * 99999, '1e400 7', '"' + '1' * 5000 + '"', 'NaN NaN',
                       '{"height": NaN, "width": Infinity}', '[1e400, 7]', '1' * 5000 + ' 7'])
    bundle.sizes[1] = cell
    bundle.right = {key: boxes for key, boxes in (bundle.right or {}).items() if key != 'k1'}
    return f'the size {cell:.40}'


def make(place: Place) -> Try:
    """Write a bundle, and convert or read it."""
    bundle = _Bundle(place)
    attack = place.rng.choices([_notation, _row, _key, _yaml, _file, _size],
                               [3, 6, 1, 3, 2, 2])[0]
    what = attack(bundle)
    bundle.write(place.folder / 'data')
    expected = bundle.right
    if expected is not None:
        expected = {key: boxes for key, boxes in expected.items() if boxes is not None}
    use = place.rng.choice(['converter', 'images', 'training'])

    def convert() -> dict:
        more = ['--write-images', 'images'] if use == 'images' else []
        run_tool('tools/dataset_converters/tsv2odvg.py', 'data/b.yaml', '-o', 'out.jsonl', *more)
        labels = json.loads(Path('out_label_map.json').read_text())
        rows = json_lines(Path('out.jsonl'))
        return {row['filename'].removesuffix('.jpg'): sorted(
            (tuple(box['bbox']), labels[str(box['label'])])
            for box in row['detection']['instances']) for row in rows}

    def train() -> dict:
        from glip_mm.datasets import GroundingDataset
        data = GroundingDataset('data/b.yaml', format='tsv')
        found = {}
        for info in map(data.get_data_info, range(len(data))):
            key = Path(info['img_path']).name.removesuffix('.jpg')
            found[key] = sorted((tuple(one['bbox']), info['text'][one['bbox_label']])
                                for one in info['instances'])
        return found

    def wrong(found: dict) -> str | None:
        # sizes that are missing may be read from the images
        for key, boxes in (expected or {}).items():
            if found.get(key) != boxes:
                return f'{key}: {found.get(key)} where {boxes} is right'
        more = set(found) - set(expected or ())
        if more - ({'k1'} if attack is _size and use != 'converter' else set()):
            return f'rows from nowhere: {sorted(more)}'
        return None
    named = ('data', ) if expected is None else None
    if expected is not None and not any(expected.values()):
        named = ('data', )
    return Try(f'{use}: {what}', train if use == 'training' else convert,
               None if expected is None else wrong, named)
