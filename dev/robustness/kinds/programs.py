"""Programs from their command line: labelling by names, calibration, videos."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dev.robustness.kinds import coco, videos
from dev.robustness.mutations import DAMAGE, VALUES, dump, json_lines, places, put
from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'programs: labelling by names, calibration, video_demo'
_NAMES = ['cat', 'dog']
_VAL = dict(
    images=[dict(id=i, file_name=f'{i}.png', width=WIDTH, height=HEIGHT) for i in range(2)],
    annotations=[dict(id=2 * i + k, image_id=i, category_id=k, iscrowd=0, area=WIDTH * HEIGHT / 4,
                      bbox=[0, 0, WIDTH / 2, HEIGHT / 2]) for i in range(2) for k in (1, 2)],
    categories=[dict(id=1, name='cat'), dict(id=2, name='dog')])


def prepare(world: World) -> None:
    """Write videos, and the model."""
    videos.prepare(world)
    world.files  # noqa: B018  writes them


def make(place: Place) -> Try:
    """Run one of the programs on files that were attacked."""
    return place.rng.choice([_labels, _calibration, _video])(place)


def _model(place: Place) -> list[Any]:
    """Put the model into the folder of the try, where files may be written beside it."""
    config, weights = place.world.files
    shutil.copy(config, 'nano.py')
    os.link(weights, 'nano.pth')
    return ['nano.py', 'nano.pth']


def _label_words(place: Place, *words: Any) -> list[Any]:
    config, weights = _model(place)
    return ['data', '--model', config, '--weights', weights, '--out', 'run', '--device', 'cpu',
            '--workers', 0, '--threshold', 0, *words]


def _labels(place: Place) -> Try:
    rng, folder = place.rng, place.folder / 'data'
    for number in range(3):
        place.world.link(number, folder / f'{number}.png')
    if rng.random() < .4:
        return _names(place)
    path = folder / '1.png'
    attacks: dict[str, Callable[[], Any]] = {
        'nothing': lambda: path.write_bytes(b''), 'a pipe': lambda: os.mkfifo(path),
        'random bytes': lambda: path.write_bytes(rng.randbytes(999)), 'a folder': path.mkdir,
        'a device': lambda: path.symlink_to('/dev/zero'),
        'a link that leads nowhere': lambda: path.symlink_to('gone'),
        'a program': lambda: path.write_bytes(b'%!PS\n(canary) (w) file'),
        'cut off': lambda: path.write_bytes((folder / '0.png').read_bytes()[:-99])}
    harmless: dict[str, Callable[[], Any]] = {
        'another name': lambda: place.world.link(1, folder / rng.choice(
            ['a b.png', 'ä.png', "a'b.png", 'a\nb.png', '-x.png', '%s.png', '=1+1.png'])),
        'a subfolder': lambda: place.world.link(1, folder / 'a/b/1.png'),
        'a link to the folder': lambda: (place.world.link(1, path),
                                         (folder / 'loop').symlink_to(folder)),
        'other files': lambda: (place.world.link(1, path), (folder / 'x.bin').write_bytes(b'7'))}
    what = rng.choice([*attacks, *harmless])
    path.unlink()
    {**attacks, **harmless}[what]()
    names = {'0.png', '2.png'}
    if what in harmless:
        names |= {str(p.relative_to(folder)) for p in folder.rglob('*.png')
                  if 'loop' not in p.parts}
    to = rng.choice([[], [], ['--to', rng.choice(['coco', 'yolo', 'voc', 'labelstudio', 'odvg'])]])

    def act() -> set[str]:
        run_tool('tools/pseudo_label.py', *_label_words(place, '--classes', *_NAMES, *to))
        return {row['filename'] for row in _rows()}

    def wrong(found: set[str]) -> str | None:
        return None if found == names else f'{sorted(found)} where {sorted(names)} is right'
    # a name of two lines has no place in some formats
    return Try(f'labelling {to}: {what}', act, wrong,
               ('a\\nb', ) if to and any('\n' in name for name in names) else None)


def _rows() -> list[dict]:
    # with --to the run is in a folder within the data set
    return [row for path in sorted(Path('.').rglob('labels/*.jsonl')) for row in json_lines(path)]


def _names(place: Place) -> Try:
    rng, path = place.rng, place.folder / 'names.txt'
    text = '\n'.join(_NAMES)
    harmless = {'CRLF': text.replace('\n', '\r\n').encode(), 'UTF-16': text.encode('utf-16'),
                'a byte order mark': b'\xef\xbb\xbf' + text.encode(),
                'blank lines': f'\n{text}\n\n'.encode(), 'a final line': f'{text}\n'.encode()}
    causes = ['nothing', 'random bytes', 'a NUL byte', 'a byte that is no UTF-8', 'another format']
    what = rng.choice([*harmless, *causes, 'a pipe', 'a folder', 'missing'])
    if what in harmless:
        path.write_bytes(harmless[what])
    elif what in causes:
        path.write_bytes(DAMAGE[what](rng, text.encode()))
    elif what == 'a pipe':
        os.mkfifo(path)
    elif what == 'a folder':
        path.mkdir()

    def act() -> dict[str, str]:
        run_tool('tools/pseudo_label.py', *_label_words(place, '--classes-file', path))
        found = next(Path('run').rglob('label_map.json'))
        return json.loads(found.read_text())

    def wrong(found: dict[str, str]) -> str | None:
        return None if list(found.values()) == _NAMES else f'names {found}'
    return Try(f'a file of names: {what}', act, wrong if what in harmless else None,
               None if what in harmless else ('names.txt', ))


def _calibration(place: Place) -> Try:
    rng, folder = place.rng, place.folder / 'val'
    for number in range(3):
        place.world.link(number, folder / f'{number}.png')
    file, drawn, wrong_value = folder / '_annotations.coco.json', rng.random(), None
    named: tuple[str, ...] | None = ('val', )
    if drawn < .3:
        what, data = coco.notation(place, json.loads(json.dumps(_VAL)))
        named = None
    elif drawn < .5:
        cause = rng.choice(sorted(DAMAGE))
        what, data, wrong_value = cause, DAMAGE[cause](rng, json.dumps(_VAL).encode()), 'accepted'
    elif drawn < .65:
        name = rng.choice([place.out('secret.png', place.folder), '/dev/zero', 'x' * 300, 'a\0b',
                           str(place.outside / 'secret.png'), 'file:///x.png', '.'])
        what = f'file name {name:.60}'
        data = dump(put(_VAL, ('images', 1, 'file_name'), name)).encode()
    else:
        where, value = rng.choice(list(places(_VAL))), rng.choice(VALUES)
        what, data = f'{where} is {value!r:.40}', dump(put(_VAL, where, value)).encode()
    file.write_bytes(data)

    def act() -> dict:
        config, weights = _model(place)
        run_tool('demo/image_demo.py', folder / '2.png', config, '--weights', weights, '-c',
                 '--texts', 'cat. dog', '--device', 'cpu', '--calibrate', folder, '--no-save-vis')
        return json.loads(Path('nano.thresholds.json').read_text())

    def wrong(found: dict) -> str | None:
        numbers = [found['default'], *found['thresholds'].values()]
        if wrong_value or not all(0 <= n <= 1 for n in numbers):
            return f'thresholds {found}'
        return None if named or set(found['thresholds']) <= set(_NAMES) else f'names {found}'
    # what the file says otherwise may have other thresholds, which nobody can tell
    return Try(f'calibration: {what}', act, wrong, named)


def _video(place: Place) -> Try:
    what, path, refused, least, most = videos.draw(place)
    out = place.rng.choice([[], ['--out', 'found.mp4']])
    over = place.rng.random() < .1
    if over and most and not refused:
        what, out, refused, most = 'written over its source', ['--out', path], True, 0

    def act() -> int:
        run_tool('demo/video_demo.py', path, *_model(place), '-c', '--texts', 'cat. dog',
                 '--device', 'cpu', '--out-predictions', 'found.jsonl', *out)
        return len(Path('found.jsonl').read_text().splitlines())

    def wrong(found: int) -> str | None:
        return None if least <= found <= most else f'{found} frames of {most}'
    return Try(f'video_demo {bool(out)}: {what}', act, wrong if most else None,
               (path.name, ) if refused else None)
