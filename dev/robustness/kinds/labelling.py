"""Captioned images to label: tar shards, JSON lines, CSV files and folders."""

import csv
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dev.robustness.mutations import DAMAGE, VALUES, dump, json_lines
from dev.robustness.tries import Place, Try
from dev.robustness.world import World

TITLE = 'tar shards, JSON lines, CSV, folders to label'
_CAPTIONS = ['a dog and a cat', 'a red ball', 'two dogs on the grass']
#: Contents of a row that must be rejected; None is a valid row.
_Rows = list[tuple[str, str, bytes] | None]


def prepare(world: World) -> None:
    """Build the teacher."""
    from mmengine.registry import DefaultScope

    from glip_mm.apis.images import ImagePipeline
    from glip_mm.pseudo_labels import BoxSelection, Teacher
    from glip_mm.pseudo_labels.questions import CaptionPhrases
    from glip_mm.text import NounPhraseFinder
    with DefaultScope.overwrite_default_scope('glip_mm'):
        pipeline = ImagePipeline(world.config)
    finder = NounPhraseFinder('auto', 'published')
    finder('a dog')
    world.kept['teacher'] = Teacher(world.model, pipeline, BoxSelection(0., 3, .6, 1., 0., False),
                                    CaptionPhrases(finder))


def make(place: Place) -> Try:
    """Write a source, and label it."""
    rng = place.rng
    folder = place.folder / 'data'
    for number in range(3):
        place.world.link(number, folder / f'{number}.png')
    kind = rng.choice([_tar, _json_lines, _table, _folder])
    # captions that must come back, and whether the whole source must be refused
    what, path, captions, refused = kind(place, folder)

    def act() -> dict[str, Any]:
        from glip_mm.pseudo_labels import find_shards, label
        shards = find_shards(path, 'run', None, 2)
        label(shards, place.world.kept['teacher'], 'run', 2, 1)
        return _labels(Path('run/labels'))

    def wrong(found: dict[str, Any]) -> str | None:
        if found != captions:
            return f'{found} where {captions} is right'
        rejected = Path('run/rejects.jsonl').read_text().splitlines()
        return None if all(map(json.loads, rejected)) else 'rejects without a reason'
    from glip_mm.pseudo_labels import LostShards
    return Try(f'{kind.__name__[1:]}: {what}', act, None if refused else wrong,
               ('data', ) if refused or not captions else None,
               (ValueError, OSError, ImportError, LostShards))


def _labels(folder: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == '.tar':
            with tarfile.open(path) as tar:
                names = [m for m in tar.getmembers() if m.name.endswith('.json')]
                rows = [json.loads(tar.extractfile(m).read()) for m in names]
        else:
            rows = json_lines(path)
        found.update((row['filename'], row['grounding']['caption']) for row in rows)
    return found


_GOOD = {f'{i}.png': caption for i, caption in enumerate(_CAPTIONS)}


def _without(name: str) -> dict[str, str]:
    return {key: caption for key, caption in _GOOD.items() if key != name}


def _bad_name(place: Place, folder: Path) -> str:
    return place.rng.choice([place.out('secret.png', folder), '../../outside/secret.png', 'a\0b',
                             'x' * 300, '/dev/zero', 'gone.png', '.', 'a/' * 3000,
                             'file:///etc/passwd', 'http://127.0.0.1:9/a.png'])


def _json_lines(place: Place, folder: Path) -> tuple[str, Path, dict, bool]:
    rng, path = place.rng, folder / 'rows.jsonl'
    lines = [json.dumps(dict(filename=name, caption=text)).encode()
             for name, text in _GOOD.items()]
    attack = rng.choice(['notation', 'name', 'value', 'damage', 'broken image', 'whole file'])
    expected, refused = _without('1.png'), False
    if attack == 'notation':
        names = rng.choice([('file_name', 'text'), ('path', 'caption'), ('image', 'caption')])
        lines[1] = json.dumps({names[1]: _CAPTIONS[1], 'x': [1], names[0]: '1.png'},
                              ensure_ascii=False).encode() + rng.choice([b'', b'\r', b'  '])
        lines = [b'\xef\xbb\xbf' + lines[0], *lines[1:]] if rng.random() < .5 else lines
        expected = _GOOD
    elif attack == 'name':
        name = _bad_name(place, folder)
        attack = f'the name {name:.40}'
        lines[1] = json.dumps(dict(filename=name, caption='a dog')).encode()
    elif attack == 'value':
        key, value = rng.choice(['filename', 'caption']), rng.choice(VALUES)
        attack = f'{key} is {value!r:.40}'
        lines[1] = dump({**dict(filename='1.png', caption=_CAPTIONS[1]), key: value}).encode()
        if key == 'caption' and value in ('x', '7', '\u200b', 'a\0b', '\ud800'):
            # a caption of no noun, or of one: both are said
            return attack, _written(path, lines), _Either(expected, {'1.png'}), False
    elif attack == 'damage':
        cause = rng.choice(sorted(set(DAMAGE) - {'nothing'}))
        attack = f'damage: {cause}'
        lines[1] = DAMAGE[cause](rng, lines[1]).replace(b'\n', b' ')
        # lines of text without an end are refused as a whole, and said which
        refused = cause in ('a NUL byte', 'a byte that is no UTF-8', 'random bytes',
                            'another format')
    elif attack == 'broken image':
        (folder / '1.png').unlink()
        (folder / '1.png').write_bytes(rng.choice([b'', b'x', rng.randbytes(99)]))
    else:
        cause = rng.choice(sorted(set(DAMAGE) - {'cut off', 'a number of 5,000 digits'}))
        attack, refused = f'the whole file: {cause}', True
        _written(path, [DAMAGE[cause](rng, b'\n'.join(lines))])
        return attack, path, {}, True
    return attack, _written(path, lines), expected, refused


class _Either(dict):
    """Captions, of which some may be missing or changed."""

    def __init__(self, needed: dict, optional: set[str]) -> None:
        super().__init__(needed)
        self.optional = optional

    def __eq__(self, other: object) -> bool:
        return {k: v for k, v in dict(other).items()  # type: ignore[call-overload]
                if k not in self.optional} == dict(self)

    def __ne__(self, other: object) -> bool:  # that of dict would compare all
        return not self == other

    __hash__ = None  # type: ignore[assignment]


def _written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b'\n'.join([*lines, b'']))
    return path


def _table(place: Place, folder: Path) -> tuple[str, Path, dict, bool]:
    rng = place.rng
    path = folder / rng.choice(['rows.csv', 'rows.tsv', 'rows.CSV'])
    separator = rng.choice(',\t;|')
    text = io.StringIO()
    end = rng.choice(['\n', '\r\n'])
    writer = csv.writer(text, delimiter=separator, lineterminator=end,
                        quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    header = rng.choice([['filename', 'caption'], ['Image', 'TEXT', 'more'], ['path', 'caption']])
    attack = rng.choice(['notation', 'name', 'ragged', 'quotes', 'header', 'encoding', 'formula'])
    expected, refused = _without('1.png'), False
    rows = [[name, caption, '7'][:len(header)] for name, caption in _GOOD.items()]
    if attack == 'notation':
        expected = _GOOD
    if attack == 'formula':
        expected = {**_GOOD, '1.png': '=cmd|"/c calc"!A1 and a dog'}
        rows[1][1] = expected['1.png']
    if attack == 'name':
        rows[1][0] = _bad_name(place, folder).replace('\0', '\1')
        attack = f'the name {rows[1][0]:.40}'
    if attack == 'ragged':
        rows[1] += ['one', 'more']
    if attack == 'header':
        header, refused = ['a', 'b', 'c'][:len(header)], True
    writer.writerows([header, *rows])
    content = text.getvalue().encode()
    if attack == 'quotes':
        content += f'2.png{separator}"a dog'.encode()
        expected = _GOOD
    if attack == 'encoding':
        content, refused = content.replace(b'ball', b'b\xe4ll'), True
    if rng.random() < .3:
        content = b'\xef\xbb\xbf' + content
    path.write_bytes(content)
    return attack, path, expected, refused


def _folder(place: Place, folder: Path) -> tuple[str, Path, dict, bool]:
    rng = place.rng
    for name, caption in _GOOD.items():
        (folder / name).with_suffix('.txt').write_text(caption)
    file = folder / '1.txt'
    attacks: dict[str, Callable[[], Any]] = {
        'an empty caption': lambda: file.write_text(' \n'),
        'a caption that is no UTF-8': lambda: file.write_bytes(b'caf\xe9'),
        'a caption with NUL': lambda: file.write_bytes(b'a dog\0'),
        'a caption of UTF-16': lambda: file.write_bytes('a dog'.encode('utf-16')),
        'no caption': file.unlink,
        'a folder as a caption': lambda: (file.unlink(), file.mkdir()),
        'a pipe as a caption': lambda: (file.unlink(), os.mkfifo(file)),
        'a link that leads nowhere': lambda: (file.unlink(), file.symlink_to('gone')),
        'a device as a caption': lambda: (file.unlink(), file.symlink_to('/dev/zero')),
        'a pipe as an image': lambda: ((folder / '1.png').unlink(),
                                       os.mkfifo(folder / '1.png')),
        'a folder as an image': lambda: ((folder / '1.png').unlink(),
                                         (folder / '1.png').mkdir()),
        'a broken image': lambda: ((folder / '1.png').unlink(),
                                   (folder / '1.png').write_bytes(rng.randbytes(99)))}
    harmless: dict[str, Callable[[], Any]] = {
        'a byte order mark': lambda: file.write_bytes(b'\xef\xbb\xbf' + _CAPTIONS[1].encode()),
        'CRLF': lambda: file.write_bytes(_CAPTIONS[1].encode() + b'\r\n'),
        'a link to the folder': lambda: (folder / 'loop').symlink_to(folder),
        'other files': lambda: ((folder / 'x.bin').write_bytes(b'7'),
                                (folder / 'alone.txt').write_text('a dog'))}
    what = rng.choice([*attacks, *harmless])
    {**attacks, **harmless}[what]()
    return what, folder, _GOOD if what in harmless else _without('1.png'), False


def _tar(place: Place, folder: Path) -> tuple[str, Path, dict, bool]:
    rng, path = place.rng, folder / 'a.tar'
    entries = []
    for name, caption in _GOOD.items():
        stem = name[:-4]
        entries.append([(name, (folder / name).read_bytes()), (f'{stem}.txt', caption.encode())])
    attack = rng.choice(['notation', 'name', 'caption', 'image', 'cut off', 'special members',
                         'damaged', 'JSON'])
    expected = _without('1.png')
    if attack == 'notation':
        expected = _GOOD
        rng.shuffle(entries[1])
        if rng.random() < .5:
            entries[1] = [entries[1][0] if entries[1][0][0] == '1.png' else entries[1][1],
                          ('1.json', json.dumps(dict(caption=_CAPTIONS[1], url='x')).encode())]
    if attack == 'name':
        name = rng.choice([place.out('canary', place.folder), str(place.outside / 'canary'),
                           '../../canary', 'x' * 280, 'a/../../../canary'])
        entries[1] = [(f'{name}.png', entries[1][0][1]), (f'{name}.txt', b'a dog')]
        attack = f'the name {name:.40}'
    if attack == 'caption':
        entries[1][1] = ('1.txt', rng.choice([b'', b' ', b'caf\xe9', '\ufeff'.encode()]))
    if attack == 'image':
        entries[1][0] = ('1.png', rng.choice([b'', rng.randbytes(99), entries[1][0][1][:200]]))
    if attack == 'JSON':
        value = rng.choice([v for v in VALUES if not (isinstance(v, str) and v in 'x7\u200b')])
        entries[1][1] = ('1.json', rng.choice([
            dump(dict(caption=value)), dump(value), '{"caption": ' + '1' * 5000 + '}']).encode())
        attack = f'JSON {entries[1][1][1][:40]!r}'
        if value in ('\ud800', 'a\0b'):
            expected = _Either(expected, {'1.png'})
    form = rng.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    with tarfile.open(path, 'w', format=form) as tar:
        for entry in entries:
            if attack == 'special members' and entry is entries[1]:
                _add_special(rng, tar, place)
                continue
            for name, content in entry:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    if attack == 'cut off':
        with tarfile.open(path) as tar:
            os.truncate(path, tar.getmember('1.png').offset_data + 3)
        expected = {'0.png': _GOOD['0.png']}
    if attack == 'damaged':
        cause = rng.choice(sorted(set(DAMAGE) - {'a NUL byte', 'a byte that is no UTF-8',
                                                 'cut off'}))
        path.write_bytes(DAMAGE[cause](rng, path.read_bytes()))
        return f'damage: {cause}', path, {}, True
    return attack, path, expected, False


def _add_special(rng: Any, tar: tarfile.TarFile, place: Place) -> None:
    for name in ('1.png', '1.txt'):
        member = tarfile.TarInfo(name)
        member.type = rng.choice([tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE,
                                  tarfile.CHRTYPE])
        member.linkname = str(place.outside / 'secret.png')
        tar.addfile(member)
