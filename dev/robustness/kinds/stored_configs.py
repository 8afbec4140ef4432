"""A config that is stored in a checkpoint, from which a fine-tuning starts."""

import copy
from typing import Any

import torch

from dev.robustness.mutations import places, put
from dev.robustness.tries import Place, Try
from dev.robustness.world import World

TITLE = 'a config stored in a checkpoint'
_STEPS = [dict(type='LoadImageFromFile', backend_args=None),
          dict(type='mmdet.FixScaleResize', scale=(128, 96), keep_ratio=True),
          dict(type='PackDetInputs', meta_keys=('img_id', ))]


def prepare(world: World) -> None:
    """Take the config of the tiny model, with a language model that needs no path."""
    model = copy.deepcopy(world.config.model.to_dict())
    model['language_model']['name'] = 'bert-base-uncased'
    world.kept['stored'] = dict(
        default_scope='glip_mm', model=model, test_pipeline=_STEPS,
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4)))


def _codes(place: Place) -> list[Any]:
    canary = str(place.outside / 'canary')
    return [dict(type='os.system', command=f'touch {canary}'),
            dict(type='subprocess.call', args=['touch', canary]),
            dict(type='builtins.eval', source=f'open({canary!r}, "w")'),
            dict(type='os.mkdir', path=canary), dict(type='runpy.run_path', path_name=canary),
            dict(type='pathlib.Path.touch', self=canary), dict(type='torch.hub.load', x=1),
            dict(type='mmengine.fileio.dump', obj={}, file=f'{canary}.json'),
            dict(type='mmengine.Config.fromfile', filename=canary),
            dict(type='shutil.rmtree', path=str(place.outside)), dict(type='antigravity')]


def _sources(place: Place) -> list[str]:
    canary = str(place.outside / 'canary')
    call = f'__import__("os").system("touch {canary}")'
    return [f'a = {call}', f'model = dict(type={call})', f'import os\nos.system("touch {canary}")',
            f'model = [x for x in [{call}]]', f'model = (lambda: {call})()', 'a = [',
            f'@{call}\ndef f(): pass', f'a = f"{{{call}}}"', f'_base_ = "{canary}.py"\nmodel = 7',
            'a = ' + '[' * 9999, 'a = ' + '-' * 9999 + '1', 'a\0', '\ud800', 'model = 7',
            f'a: {call} = 1', f'a = b = {call}', 'model = dict(**x)', f'if {call}: a = 1',
            'model = {}', 'x = 1', '\x0c' * 99]


def make(place: Place) -> Try:
    """Write a checkpoint, and start from it."""
    from mmengine.config import Config
    rng, config = place.rng, copy.deepcopy(place.world.kept['stored'])
    refused, text = True, None
    attack = rng.choice(['valid', 'code', 'steering', 'source', 'path', 'no dict', 'loop'])
    paths = [p for p in places(config['model']) if isinstance(p[-1], str)]
    if attack == 'valid':
        refused = False
        extra = rng.choice([{}, dict(work_dir='x', load_from='/etc/passwd'),
                            dict(custom_hooks=[_codes(place)[0]]),
                            dict(custom_imports=dict(imports=['antigravity']))])
        text = Config({**config, **extra}).pretty_text
        attack = f'valid beside {list(extra)}'
        if rng.random() < .3:
            text = {**config, **extra}
    elif attack == 'code':
        code = rng.choice(_codes(place))
        where = rng.choice([('model', *rng.choice(paths)), ('test_pipeline', 1),
                            ('optim_wrapper', 'optimizer'), ('optim_wrapper', ),
                            ('model', 'backbone', 'init_cfg'), ('model', 'x')])
        config, attack = put({**config, 'model': _with(config['model'])}, where, code), \
            f'{where} is {code["type"]}'
    elif attack == 'steering':
        part = rng.choice([('model', ), ('model', 'neck'), ('model', 'bbox_head')])
        key, value = rng.choice([('_base_', '/x.py'), ('_delete_', True), ('_scope_', 'os'),
                                 ('custom_imports', dict(imports=['antigravity']))])
        config = put(config, (*part, key), value)
        attack = f'{part} with {key}'
    elif attack == 'path':
        secret = str(place.outside / rng.choice(['secret.txt', 'secret.json']))
        where, value = rng.choice([
            (('model', 'language_model', 'name'), secret),
            (('model', 'language_model', 'name'), '../../outside'),
            (('test_pipeline', 0), dict(type='LoadImage', backend_args=dict(backend='petrel'))),
            (('test_pipeline', 0), dict(type='ReplaceCaption', captions=secret)),
            (('test_pipeline', 0), dict(type='BuildPrompt', name_variants=secret)),
            (('model', 'class_texts'), dict(knowledge=secret))])
        config, attack = put(config, where, value), f'{where} reads a file'
    elif attack == 'source':
        text = rng.choice(_sources(place))
        attack = f'source {text!r:.60}'
    elif attack == 'no dict':
        value = rng.choice([7, 'x', [], None, [[]], True])
        where = rng.choice([('model', ), ('model', 'type'), ('test_pipeline', 0),
                            ('default_scope', )])
        if where == ('default_scope', ) and not value:
            value = 7
        config, attack = put(config, where, value), f'{where} is {value!r}'
    else:
        config['model']['neck']['x'] = config['model']['neck']
        text = config
    meta = dict(cfg=text if text is not None else
                rng.choice([config, Config(config).pretty_text]) if attack != 'loop' else config)
    torch.save(dict(state_dict={}, w=torch.zeros(1), meta=meta), 'a.pth')

    def act() -> dict:
        from glip_mm.finetuning.start import find_start, read_base
        path, _ = find_start('a.pth', None, 'work')
        return read_base(path).to_dict()

    def wrong(found: dict) -> str | None:
        wanted = _plain(place.world.kept['stored']['model'])
        return None if _plain(found['model']) == wanted and set(found) <= {
            'default_scope', 'model', 'test_pipeline', 'optim_wrapper', 'train_dataloader'
        } else f'{found!r:.400}'
    return Try(attack, act, None if refused else wrong, ('a.pth', ) if refused else None)


def _with(model: dict) -> dict:
    """Give every part a place for an initialisation."""
    return {**model, 'backbone': {**model['backbone'], 'init_cfg': None}}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in (
            'pretrained', 'init_cfg')}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


