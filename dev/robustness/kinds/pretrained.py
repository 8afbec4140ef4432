"""Folders of ``save_pretrained``, and files of thresholds beside weights."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file

from dev.robustness.mutations import DAMAGE, VALUES, dump, places, put
from dev.robustness.tries import Place, Try
from dev.robustness.world import World

TITLE = 'folders of save_pretrained, files of thresholds'
_NAMES = ['cat', 'dog']
_THRESHOLDS = dict(default=.25, thresholds={'dog': .5, 'a cat': 0.})


def _found(folder: str) -> tuple[list, dict]:
    """Predict with a folder; return names and scores, and the thresholds."""
    from glip_mm.apis import GLIPInferencer
    model = GLIPInferencer.from_pretrained(folder, device='cpu', show_progress=False)
    result = model(np.full((40, 60, 3), 90, np.uint8), _NAMES)[0]
    return [result.names, result.scores.tolist()], dict(
        default=model.thresholds.default, thresholds=dict(model.thresholds.by_name))


def prepare(world: World) -> None:
    """Write a folder, and predict with it."""
    from glip_mm.apis import GLIPInferencer
    world.files  # noqa: B018  writes them
    folder = world.folder / 'pretrained'
    GLIPInferencer(world.model, cfg=world.config, device='cpu').save_pretrained(folder)
    (folder / 'model.thresholds.json').write_text(json.dumps(_THRESHOLDS))
    world.kept['pretrained'] = _found(str(folder))


def _weights(place: Place, path: Path) -> str:
    rng, content, state = place.rng, path.read_bytes(), load_file(path)
    key = rng.choice(sorted(k for k, v in state.items() if v.is_floating_point() and v.ndim > 1))
    what = rng.choice(['a missing key', 'another shape', 'NaN', 'cut off', 'a header without end',
                       'no header', 'nothing', 'a pointer of Git LFS', 'a folder', 'a pipe',
                       'missing'])
    path.unlink()
    if what == 'a missing key':
        save_file({k: v for k, v in state.items() if k != key}, path)
    elif what in ('another shape', 'NaN'):
        save_file({**state, key: state[key][:-1].clone() if what == 'another shape'
                   else state[key] * float('nan')}, path)
    elif what == 'a folder':
        path.mkdir()
    elif what == 'a pipe':
        os.mkfifo(path)
    elif what != 'missing':
        path.write_bytes({'cut off': content[:rng.randrange(len(content))], 'nothing': b'',
                          'a header without end': b'\xff' * 7 + b'\x7f' + content[8:],
                          'no header': rng.randbytes(2000)}.get(
            what, DAMAGE['a pointer of Git LFS'](rng, content)))
    return what


def _hostile(place: Place, content: dict) -> tuple[str, dict]:
    """Return a config that names code or other files."""
    canary, secret = str(place.outside / 'canary'), str(place.outside / 'secret.json')
    where, value = place.rng.choice([
        (('model', 'neck'), dict(type='os.mkdir', path=canary)),
        (('model', 'neck', 'type'), 'os.system'), (('model', 'type'), 'builtins.exec'),
        (('model', 'backbone', 'init_cfg'), dict(type='os.mkdir', path=canary)),
        (('model', 'language_model', 'name'), str(place.outside)),
        (('model', 'language_model', 'name'), 'language_model/../../../../outside'),
        (('model', '_base_'), secret), (('model', '_delete_'), True), (('model', '_scope_'), 'os'),
        (('model', 'class_texts'), dict(knowledge=secret)), (('default_scope', ), 'os'),
        (('model', 'custom_imports'), dict(imports=['antigravity'])),
        (('test_pipeline', 0), dict(type='LoadImage', backend_args=dict(backend='petrel'))),
        (('test_pipeline', 0), dict(type='ReplaceCaption', captions=secret)),
        (('test_pipeline', 0), dict(type='os.mkdir', path=canary))])
    return f'config.json: {where} is {value!r:.60}', put(content, where, value)


def _language(place: Place, folder: Path) -> tuple[str, str]:
    """Damage a file of the language model; return what was done, and what an error names."""
    what = place.rng.choice(['auto_map', 'a program', 'no config', 'no tokenizer', 'damaged'])
    config = folder / 'config.json'
    if what == 'auto_map':
        config.write_text(config.read_text().replace('{', '{"auto_map": {"AutoConfig": "x.Y"}, ',
                                                     1))
    elif what == 'a program':
        (folder / 'x.py').write_text(f'open({str(place.outside / "canary")!r}, "w")')
    elif what == 'no config':
        config.unlink()
    elif what == 'no tokenizer':
        for path in [*folder.glob('tokenizer*'), *folder.glob('vocab*')]:
            path.unlink()
    else:
        cause = place.rng.choice(sorted(DAMAGE))
        config.write_bytes(DAMAGE[cause](place.rng, config.read_bytes()))
        what = f'config.json: {cause}'
    return f'the language model: {what}', 'language_model'


def _thresholds(place: Place, path: Path) -> tuple[str, bool]:
    """Change the file of thresholds; return what was done, and whether it still says the same."""
    rng, content = place.rng, json.loads(path.read_text())
    what = rng.choice(['order of keys', 'indented', 'a byte order mark', 'damaged', 'a value'])
    if what == 'damaged':
        cause = rng.choice(sorted(DAMAGE))
        path.write_bytes(DAMAGE[cause](rng, path.read_bytes()))
        return f'thresholds: {cause}', False
    if what == 'a value':
        where = rng.choice(list(places(content)))
        bad = [v for v in VALUES if not (isinstance(v, (int, float)) and 0 <= v <= 1)
               or isinstance(v, bool)]
        value = rng.choice([v for v in bad if where != ('thresholds', ) or v not in ({}, )])
        path.write_text(dump(put(content, where, value)))
        return f'thresholds: {where} is {value!r:.40}', False
    if what == 'order of keys':
        content = dict(reversed(content.items()))
    text = json.dumps(content, indent=3 if what == 'indented' else None)
    path.write_bytes(b'\xef\xbb\xbf' * (what == 'a byte order mark') + text.encode())
    return f'thresholds: {what}', True


def make(place: Place) -> Try:
    """Copy the folder, change a file, and predict with it."""
    rng = place.rng
    folder = place.folder / 'model'
    shutil.copytree(place.world.folder / 'pretrained', folder)
    config = folder / 'config.json'
    content = json.loads(config.read_text())
    attack = rng.choice(['valid', 'value', 'damaged', 'hostile', 'hostile', 'weights', 'weights',
                         'language', 'thresholds', 'thresholds'])
    named: tuple[str, ...] | None = ('model', )
    expected, optional = place.world.kept['pretrained'], False
    if attack == 'valid':
        named = None
        attack = rng.choice(['as it is', 'order of keys', 'indented', 'keys of others'])
        text = json.dumps({'as it is': content, 'indented': content,
                           'order of keys': dict(reversed(content.items()))}.get(
            attack, {**content, 'torch_dtype': 'float32', 'x': [1]}),
            indent=4 if attack == 'indented' else None)
        config.write_text(text)
    elif attack == 'value':
        where = rng.choice([p for p in places(content) if p[0] in ('model', 'test_pipeline')])
        value: Any = rng.choice(VALUES)
        config.write_text(dump(put(content, where, value)))
        # another number is another model of the same weights, which nobody can tell
        attack, optional = f'config.json: {where} is {value!r:.40}', True
    elif attack == 'damaged':
        cause = rng.choice(sorted(DAMAGE))
        config.write_bytes(DAMAGE[cause](rng, config.read_bytes()))
        attack, named = f'config.json: {cause}', ('config.json', )
    elif attack == 'hostile':
        attack, content = _hostile(place, content)
        config.write_text(json.dumps(content))
        named = ('config.json', )
    elif attack == 'weights':
        attack, named = f'weights: {_weights(place, folder / "model.safetensors")}', (
            'model.safetensors', )
        optional = attack.endswith('NaN')
    elif attack == 'language':
        attack, *named_ = _language(place, folder / 'language_model')
        named = tuple(named_)
    else:
        attack, same = _thresholds(place, folder / 'model.thresholds.json')
        named = None if same else ('model.thresholds.json', )

    def wrong(found: tuple[list, dict]) -> str | None:
        return None if optional or found == expected else f'{found!r:.200} is not {expected!r:.200}'
    return Try(attack, lambda: _found(str(folder)),
               wrong if named is None or optional else None, named)
