"""Results of a test on disk: scoring again, the report, and readers of results."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from dev.robustness.mutations import DAMAGE, VALUES, dump, places, put
from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'stored predictions, result folders'
_CONFIG = '''
default_scope = 'glip_mm'
test_dataloader = dict(dataset=dict(
    type='CocoDataset', data_root='{root}/', ann_file='a.json', data_prefix=dict(img=''),
    metainfo=dict(classes=('cat', 'dog')), test_mode=True, pipeline=[]))
test_evaluator = dict(type='CocoMetric', metric='bbox', ann_file='{root}/a.json')
'''


def prepare(world: World) -> None:
    """Write a result whose mean average precision is 0.5."""
    from glip_mm.evaluation.predictions import Prediction, PredictionWriter
    root = world.folder / 'tested'
    root.mkdir(exist_ok=True)
    boxes = [[2, 3, 12, 13], [5, 5, 25, 35]]
    (root / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=10 + i, file_name=f'{i}.png', width=WIDTH, height=HEIGHT)
                for i in range(2)],
        annotations=[dict(id=i + 1, image_id=10 + i, category_id=(4, 9)[i], iscrowd=0,
                          bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1))
                     for i, (x1, y1, x2, y2) in enumerate(boxes)],
        categories=[dict(id=4, name='cat'), dict(id=9, name='dog')])))
    for i in range(2):
        shutil.copy(world.folder / f'{i}.png', root / f'{i}.png')
    folder = root / 'result'
    folder.mkdir(exist_ok=True)
    (folder / 'config.py').write_text(_CONFIG.format(root=root))
    datasets = [dict(name='set', ann_file=str(root / 'a.json'), img_prefix=str(root),
                     num_images=2, classes=['cat', 'dog'])]
    (folder / 'metrics.json').write_text(json.dumps(dict(
        metrics={'coco/bbox_mAP': .5}, datasets=datasets, config='config.py', seconds=7.,
        checkpoint='a.pth', environment={}, expected={})))
    writer = PredictionWriter(folder / 'predictions', dict(num_images=2, datasets=datasets))
    for i, box in enumerate(boxes):
        found = box if i == 0 else [50, 40, 60, 50]
        writer.add(Prediction(i, 10 + i, str(root / f'{i}.png'), (HEIGHT, WIDTH),
                              np.float32([found]), np.float32([.5]), np.int32([i]), None))
    writer.close()


def _arrays(place: Place, path: Path) -> tuple[str, bool]:
    """Change an array of a part; return what was done, and whether it is still valid."""
    rng = place.rng
    with np.load(path) as content:
        arrays = {key: content[key] for key in content.files}
    name = rng.choice(['bboxes', 'scores', 'labels', 'counts', 'index', 'gt_counts', 'records'])
    value = arrays[name]
    changes: dict[str, Any] = {
        'NaN': value.astype(float) * np.nan if name != 'records' else value[:-3],
        'missing': None, 'shorter': value[:-1], 'negative': -1 - value.astype(int),
        'texts': np.array(['x'] * len(value)), 'another type': value.astype(np.float16),
        'one more dimension': value[None], 'huge': value.astype(np.int64) + (1 << 40),
        'objects': np.array([os.system] * len(value), dtype=object)}
    what = rng.choice(sorted(changes))
    if changes[what] is None:
        del arrays[name]
    else:
        arrays[name] = changes[what]
    if what == 'objects':
        arrays[name] = np.array([_Code(place)] * len(value), dtype=object)
    np.savez(path, **arrays)
    # other boxes or labels are another result, which nobody can tell from a true one
    return f'{name}: {what}', False


class _Code:
    def __init__(self, place: Place) -> None:
        self.path = str(place.outside / 'canary')

    def __reduce__(self) -> tuple:
        return open, (self.path, 'w')


def _bytes(place: Place, path: Path) -> str:
    rng, content = place.rng, path.read_bytes()
    changed = bytearray(content)
    for _ in range(6):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    bomb, header = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(bomb, 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('index.npy', bytes(64 << 20))
    np.lib.format.write_array_header_1_0(header, dict(
        descr='<i8', fortran_order=False, shape=(1 << 45, )))
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, 'w') as file:
        file.writestr('index.npy', header.getvalue())
    attacks = {'nothing': b'', 'cut off': content[:rng.randrange(1, len(content) - 1)],
               'flipped bits': bytes(changed), 'random bytes': rng.randbytes(900),
               'a bomb': bomb.getvalue(), 'a header of 256 TiB': stored.getvalue()}
    what = rng.choice([*attacks, 'a pipe'])
    path.unlink()
    if what == 'a pipe':
        os.mkfifo(path)
    else:
        path.write_bytes(attacks[what])
    return what


def make(place: Place) -> Try:
    """Copy the result, change a file, and read it."""
    rng = place.rng
    folder = place.folder / 'result'
    shutil.copytree(place.world.folder / 'tested' / 'result', folder)
    part = next((folder / 'predictions').glob('part-*.npz'))
    use = rng.choice(['eval_metric', 'report'])
    attack = rng.choice(['valid', 'arrays', 'bytes', 'meta', 'meta damaged', 'metrics',
                         'metrics damaged'])
    named, refused = [part.name], True
    optional = False
    if attack == 'valid':
        attack, refused = rng.choice(['as it is', 'an unfinished part', 'another folder']), False
        if attack == 'an unfinished part':
            (folder / 'predictions' / '.part-0-000007.npz.1.tmp').write_bytes(b'x')
    elif attack == 'arrays':
        what, _ = _arrays(place, part)
        attack = f'array {what}'
        # positions past the end belong to no image; other numbers are another result
        optional = what.endswith(('another type', 'negative', 'huge', 'texts'))
    elif attack == 'bytes':
        attack = f'part: {_bytes(place, part)}'
        named = [] if attack.endswith('pipe') else named
        optional = attack.endswith(('pipe', 'flipped bits'))
    else:
        file = folder / ('predictions/meta.json' if 'meta' in attack.split() else 'metrics.json')
        named, content = [file.name], json.loads(file.read_text())
        if attack.endswith('damaged'):
            cause = rng.choice(sorted(DAMAGE))
            file.write_bytes(DAMAGE[cause](rng, file.read_bytes()))
            attack = f'{file.name}: {cause}'
            optional = cause == 'a number of 5,000 digits'
        else:
            path = rng.choice(list(places(content)))
            value = rng.choice(VALUES)
            file.write_text(dump(put(content, path, value)))
            attack, optional = f'{file.name}: {path} is {value!r:.40}', True
        if use == 'eval_metric' and file.name == 'metrics.json':
            refused = False  # it is written anew
        if use == 'report' and file.name == 'meta.json':
            optional = True

    def act() -> float | None:
        if use == 'report':
            run_tool('tools/analysis_tools/report.py', 'result', '--out-dir', 'page')
            page = Path('page/index.html').read_text()
            assert '</html>' in page
            found = json.loads(Path('page/summary.json').read_text())
            return .5 if '0.5' in json.dumps(found) else None
        run_tool('tools/analysis_tools/eval_metric.py', 'result')
        return json.loads((folder / 'metrics.json').read_text())['metrics']['coco/bbox_mAP']

    def wrong(found: float | None) -> str | None:
        if optional and use == 'report':
            return None
        return None if found is not None and abs(found - .5) < 1e-3 else f'AP {found}, not 0.5'
    return Try(f'{use}: {attack}', act, wrong if not refused or optional else None,
               (*named, ) if refused else None)
