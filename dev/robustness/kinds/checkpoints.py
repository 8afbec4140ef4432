"""Checkpoint files: demo, converter, merging, interpolation, testing and resuming."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Try
from dev.robustness.world import World

TITLE = 'checkpoints: demo, converter, merging, interpolation, test.py, --resume'


def prepare(world: World) -> None:
    """Write the checkpoint."""
    world.kept['checkpoint'] = world.files[1].read_bytes()
    world.kept['state'] = world.model.state_dict()


class _Code:
    """What runs a program when it is unpickled."""

    def __init__(self, function: Callable, *words: Any) -> None:
        self.call = function, words

    def __reduce__(self) -> tuple:
        return self.call


def _saved(content: Any, **options: Any) -> bytes:
    data = io.BytesIO()
    torch.save(content, data, **options)
    return data.getvalue()


def _codes(place: Place) -> list[_Code]:
    canary = str(place.outside / 'canary')
    return [_Code(os.system, f'touch {canary}'), _Code(eval, f'open({canary!r}, "w")'),
            _Code(open, canary, 'w'), _Code(os.mkdir, canary),
            _Code(__import__, 'antigravity'), _Code(partial, os.system, 'x')]


def _same(place: Place, state: dict) -> bytes:
    """Write the same weights in another way."""
    kind = place.rng.choice(['bare', 'model', 'module.', 'old file', 'more keys',
                             'another protocol', 'a parameter', 'no meta', 'an order of keys'])
    options: dict[str, Any] = {}
    content: Any = dict(state_dict=dict(state), meta={})
    if kind == 'bare':
        content = dict(state)
    if kind == 'model':
        content = dict(model=dict(state))
    if kind == 'module.':
        content = dict(state_dict={f'module.{key}': value for key, value in state.items()})
    if kind == 'old file':
        options = dict(_use_new_zipfile_serialization=False)
    if kind == 'more keys':
        content.update(optimizer=dict(state={}, param_groups=[]), message_hub={}, epoch=3)
    if kind == 'another protocol':
        options = dict(pickle_protocol=4)
    if kind == 'a parameter':
        content['state_dict'] = {key: torch.nn.Parameter(value) if value.is_floating_point()
                                 else value for key, value in state.items()}
    if kind == 'no meta':
        del content['meta']
    if kind == 'an order of keys':
        content['state_dict'] = {key: state[key] for key in reversed(list(state))}
    place.world.kept['what'] = kind
    return _saved(content, **options)


def _other(place: Place, state: dict) -> tuple[str, Any]:
    """Return content that is no set of weights of this model."""
    key = place.rng.choice([k for k, v in state.items() if v.is_floating_point()
                            and v.ndim > 1 and 'lora' not in k])
    value = state[key]
    contents: dict[str, Any] = {
        'NaN': {**state, key: torch.full_like(value, float('nan'))},
        'infinity': {**state, key: value.clone().fill_(float('inf'))},
        'another shape': {**state, key: value[:-1]},
        'a missing key': {k: v for k, v in state.items() if k != key},
        'a key of nobody': {**state, 'backbone.of_nobody.weight': value},
        'a text as a tensor': {**state, key: 'x'}, 'a list as a tensor': {**state, key: [1.]},
        'None as a tensor': {**state, key: None}, 'a key that is a number': {**state, 7: value},
        'a sparse tensor': {**state, key: value.to_sparse()},
        'a complex tensor': {**state, key: value.to(torch.complex64)},
        'a tensor without memory': {**state, key: value.to('meta')},
        'a tensor of 4 TiB': {**state, key: torch.zeros(1).expand(1 << 40)}}
    what = place.rng.choice(sorted(contents))
    return what, dict(state_dict=contents[what], meta={})


def _nothing(place: Place, path: Path, content: bytes) -> str:
    """Write what is no checkpoint."""
    rng = place.rng
    changed = bytearray(content)
    for _ in range(8):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('archive/data.pkl', pickle.dumps({}))
        file.writestr('archive/data/0', bytes(64 << 20))
    attacks: dict[str, Any] = {
        'nothing': b'', 'random bytes': rng.randbytes(5000), 'HTML': b'<html>404</html>',
        'cut off': content[:rng.randrange(1, len(content) - 1)], 'flipped bits': bytes(changed),
        'a pointer of Git LFS': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n',
        'a list': _saved([1]), 'a text': _saved('x'), 'None': _saved(None), 'a dict': _saved({}),
        'no weights': _saved(dict(state_dict=None)),
        'weights in a list': _saved(dict(state_dict=[])),
        'a bomb': bomb.getvalue(), 'code': _saved(rng.choice(_codes(place))),
        'code in meta': _saved(dict(state_dict=dict(place.world.kept['state']),
                                    meta=dict(x=rng.choice(_codes(place))))),
        'code in an old file': _saved(dict(state_dict=rng.choice(_codes(place))),
                                      _use_new_zipfile_serialization=False),
        'code without PyTorch': pickle.dumps(dict(state_dict=rng.choice(_codes(place))))}
    what = rng.choice([*attacks, 'a pipe', 'a folder', 'missing'])
    if what in attacks:
        path.write_bytes(attacks[what])
    if what == 'a pipe':
        os.mkfifo(path)
    if what == 'a folder':
        path.mkdir()
    return what


def make(place: Place) -> Try:
    """Write a file, and use it."""
    rng, state = place.rng, place.world.kept['state']
    path, drawn = place.folder / 'a.pth', rng.random()
    if drawn < .25:
        path.write_bytes(_same(place, state))
        what, valid = f'written otherwise: {place.world.kept["what"]}', True
    elif drawn < .5:
        what, content = _other(place, state)
        path.write_bytes(_saved(content))
        valid = False
    else:
        what, valid = _nothing(place, path, place.world.kept['checkpoint']), False
    uses = [_demo, _converter, _interpolation]
    if not valid:
        uses.append(_merging)
    if drawn >= .5:  # before the model and the data are looked at
        uses += [_testing, _resuming]
    use = rng.choice(uses)
    # names are all that a conversion looks at, and a test needs a model to compare with
    blind = use in (_converter, _interpolation, _merging) and what in (
        'NaN', 'infinity', 'another shape', 'a missing key', 'a key of nobody')
    return Try(f'{use.__name__[1:]}: {what}', lambda: use(place, path),
               partial(_equal, state) if valid else (lambda value: None) if blind else None,
               # PyTorch reads one protocol without running code
               ('a.pth', 'pickled otherwise') if what.endswith('another protocol') else
               None if valid else ('a.pth', ))


def _equal(state: dict, found: dict) -> str | None:
    if set(found) != set(state):
        return f'other keys: {sorted(set(found) ^ set(state))[:3]}'
    bad = [key for key in state if not torch.equal(found[key].to(state[key].dtype), state[key])]
    return f'other values of {bad[:3]}' if bad else None


def _demo(place: Place, path: Path) -> dict:
    from glip_mm.apis.building import build_model
    return build_model(place.world.config, str(path)).state_dict()


def _converter(place: Place, path: Path) -> dict:
    run_tool('tools/model_converters/convert_glip.py', path, 'out.pth')
    return torch.load('out.pth', weights_only=True)['state_dict']


def _merging(place: Place, path: Path) -> dict:
    run_tool('tools/misc/merge_lora.py', path, 'out.pth', '--alpha', 4)
    return torch.load('out.pth', weights_only=True)['state_dict']


def _interpolation(place: Place, path: Path) -> dict:
    run_tool('tools/misc/interpolate_weights.py', path, path, '--alphas', '0', '--out', 'out')
    return torch.load('out/alpha_0.pth', weights_only=True)['state_dict']


def _testing(place: Place, path: Path) -> dict:
    run_tool('tools/test.py', place.world.folder / 'nano.py', path, '--work-dir', 'work')
    return {}


def _resuming(place: Place, path: Path) -> dict:
    run_tool('tools/train.py', place.world.folder / 'nano.py', '--resume', path,
             '--work-dir', 'work')
    return {}
