"""Labels that are exported, reviewed and browsed: hostile texts, names and rows."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import yaml

from dev.robustness.mutations import DAMAGE, VALUES, dump, json_lines, places, put
from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'export, review, browse'
_BOX = [10, 10.5, 40, 30]
_SCRIPT = '<script>alert(7)</script>'
TEXTS = [_SCRIPT, '"><img src=x onerror=alert(7)>', '</script><script>alert(7)</script>',
         '=cmd|"/c calc"!A1', '@SUM(1)', '\uffff dog', 'a\x1b[31m dog', 'a\x85dog', 'a\u2028dog',
         "dog'; import os", 'dog"]\n', '猫', '🐶', 'no', '1', '{}', '{{ 7 * 7 }}', '&amp; dog',
         ']]> dog', '!!python/object:os.system', 'dog: cat', '# dog', '- dog', '%s %d', '\\', 'a/b',
         '../dog', 'a\0b', '\ud800 dog', 'CON', 'x' * 3000, '<!-- dog', '${HOME}', '`touch x`']
_CONFIG = '''
default_scope = 'glip_mm'
train_dataloader = dict(dataset=dict(
    type='GroundingDataset', ann_file='labels/a.jsonl', data_root='.', max_bad=1,
    data_prefix=dict(img='images'),
    pipeline=[dict(type='LoadImage'), dict(type='LoadAnnotations', with_bbox=True),
              dict(type='BuildPrompt', negatives='listed'), dict(type='PackDetInputs')]))
'''


def prepare(world: World) -> None:
    """Need no more than the pictures."""


def _row(name: str, text: str) -> dict:
    return dict(filename=name, width=WIDTH, height=HEIGHT, grounding=dict(
        caption=f'{text} on a mat', regions=[dict(
            bbox=_BOX, phrase=text, tokens_positive=[[0, len(text)]], score=.5)]))


def make(place: Place) -> Try:
    """Write labels, and use them."""
    rng = place.rng
    rows: list[Any] = [_row('0.png', 'dog'), _row('1.png', 'red ball'), _row('2.png', 'cat')]
    lines = [dump(row).encode() for row in rows]
    for number in range(3):
        place.world.link(number, place.folder / 'images' / f'{number}.png')
    attack, complete = rng.choice(['text', 'text', 'name', 'damage', 'value']), True
    if attack == 'text':
        text = rng.choice(TEXTS)
        lines[1] = dump(_row('1.png', text), ensure_ascii=rng.random() < .5 or '\ud800' in text
                        ).encode()
        attack = f'the phrase {text!r:.50}'
    elif attack == 'name':
        name = rng.choice([place.out('secret.png', place.folder / 'images'), 'a\0b', 'x' * 300,
                           str(place.outside / 'secret.png'), '../../outside/secret.png', '.',
                           '/dev/zero', _SCRIPT, "a'b.png", '=1+1.png', '\ud800.png'])
        lines[1] = dump(_row(name, 'red ball')).encode()
        attack, complete = f'the name {name!r:.50}', False
    elif attack == 'damage':
        cause = rng.choice(sorted(set(DAMAGE) - {'nothing'}))
        lines[1] = DAMAGE[cause](rng, lines[1]).replace(b'\n', b' ')
        attack, complete = f'damage: {cause}', False
    else:
        path = rng.choice(list(places(rows[1])))
        value = rng.choice(VALUES)
        lines[1] = dump(put(rows[1], path, value)).encode()
        attack, complete = f'{path} is {value!r:.40}', False
    (place.folder / 'labels').mkdir()
    (place.folder / 'labels' / 'a.jsonl').write_bytes(b'\n'.join([*lines, b'']))
    (place.folder / 'config.py').write_text(_CONFIG)
    use = rng.choice(['coco', 'yolo', 'voc', 'labelstudio', 'odvg', 'review', 'browse'])

    def act() -> dict[str, list] | str:
        if use == 'review':
            run_tool('tools/analysis_tools/review_labels.py', 'labels', '--images', 'images',
                     '--out', 'out')
            json.loads(Path('out/summary.json').read_text())
            return Path('out/index.html').read_text()
        if use == 'browse':
            run_tool('tools/analysis_tools/browse_grounding_dataset.py', 'config.py', '--html',
                     'out.html')
            return Path('out.html').read_text()
        run_tool('tools/analysis_tools/export_labels.py', 'labels', '--to', use, '--out', 'out',
                 '--images', 'images')
        return _READERS[use](Path('out'))

    def wrong(found: Any) -> str | None:
        if isinstance(found, str):
            if '</html>' not in found[-200:]:
                return 'the page has no end'
            # the page's own scripts call no alert
            if any(text in found for text in TEXTS if 'alert(7)' in text):
                return 'a text became code of the page'
            return None
        for name in ['0.png', '2.png', *(['1.png'] if complete else [])]:
            # what a format writes in whole pixels or shares is rounded
            boxes = found.get(name)
            if not boxes or len(boxes) != 1 or any(
                    abs(a - b) > (.51 if use == 'voc' else .01) for a, b in zip(boxes[0], _BOX)):
                return f'{name}: {boxes} where {[_BOX]} is right'
        return None
    return Try(f'{use}: {attack}', act, wrong,
               # names of categories that a format cannot say are refused, and a name is no image
               ('', ) if use in ('yolo', 'voc', 'labelstudio') and not complete else None)


def _coco(folder: Path) -> dict[str, list]:
    content = json.loads((folder / 'annotations/instances_default.json').read_text())
    names = {image['id']: image['file_name'] for image in content['images']}
    found: dict[str, list] = {name: [] for name in names.values()}
    for row in content['annotations']:
        x, y, w, h = row['bbox']
        found[names[row['image_id']]].append([x, y, x + w, y + h])
    return found


def _yolo(folder: Path) -> dict[str, list]:
    names = yaml.safe_load((folder / 'data.yaml').read_text())['names']
    found: dict[str, list] = {}
    for path in folder.rglob('*.txt'):
        if path.parent.name == 'labels' or 'labels' in path.parts:
            rows = [line.split() for line in path.read_text().splitlines()]
            assert all(int(row[0]) in names for row in rows)
            boxes = [[float(v) for v in row[1:]] for row in rows]
            found[f'{path.stem}.png'] = [
                [(x - w / 2) * WIDTH, (y - h / 2) * HEIGHT, (x + w / 2) * WIDTH,
                 (y + h / 2) * HEIGHT] for x, y, w, h in boxes]
    return found


def _voc(folder: Path) -> dict[str, list]:
    found: dict[str, list] = {}
    for path in folder.rglob('*.xml'):
        root = ElementTree.parse(path).getroot()
        corners = [[float(box.findtext(key)) for key in ('xmin', 'ymin', 'xmax', 'ymax')]
                   for box in root.iter('bndbox')]
        # inclusive pixels that count from one
        found[f'{path.stem}.png'] = [[x1 - 1, y1 - 1, x2, y2] for x1, y1, x2, y2 in corners]
    return found


def _label_studio(folder: Path) -> dict[str, list]:
    found: dict[str, list] = {}
    for path in folder.glob('*.xml'):
        ElementTree.parse(path)
    for task in json.loads((folder / 'tasks.json').read_text()):
        name = task['data']['image'].rpartition('/')[2].rpartition('=')[2]
        found[name] = [
            [v['x'] * WIDTH / 100, v['y'] * HEIGHT / 100, (v['x'] + v['width']) * WIDTH / 100,
             (v['y'] + v['height']) * HEIGHT / 100]
            for one in task['predictions'] for result in one['result']
            for v in [result['value']] if 'width' in v]
    return found


def _odvg(folder: Path) -> dict[str, list]:
    found: dict[str, list] = {}
    for path in folder.rglob('*.jsonl'):
        for row in json_lines(path):
            found[row['filename']] = [
                box for region in row['grounding']['regions'] for box in (
                    region['bbox'] if isinstance(region['bbox'][0], list) else [region['bbox']])]
    return found


_READERS = dict(coco=_coco, yolo=_yolo, voc=_voc, labelstudio=_label_studio, odvg=_odvg)
