"""Configs, names of the model index, and checkpoints."""

import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from glip_mm import safe_config
from glip_mm.apis import GLIPInferencer, find_model, list_models
from glip_mm.apis.building import build_model, resolve_model
from glip_mm.checkpoints import read_checkpoint
from glip_mm_cli import places
from tests.test_models.nano import write_tiny_bert

from .conftest import make_config


@pytest.fixture
def index(config, checkpoint, tmp_path, monkeypatch) -> Path:
    """A clone with one released model."""
    folder = tmp_path / 'configs' / 'nano'
    folder.mkdir(parents=True)
    config.dump(folder / 'glip_nano.py')
    (folder / 'metafile.yml').write_text(
        'Collections:\n  - Name: GLIP\nModels:\n'
        '  - Name: glip_nano\n    Config: configs/nano/glip_nano.py\n'
        f'    Weights: file://{checkpoint}\n'
        '  - Name: glip_unreleased\n    Config: configs/nano/glip_nano.py\n')
    (tmp_path / 'model-index.yml').write_text('Import:\n  - configs/nano/metafile.yml\n')
    (tmp_path / 'glip_mm').mkdir()
    monkeypatch.setattr(places, 'BESIDE', tmp_path)
    return tmp_path


def message(info) -> str:
    text = str(info.value)
    assert text and '\n' not in text
    return text


def test_a_name_finds_config_and_weights(index, pictures, inferencer):
    named = GLIPInferencer('glip_nano', device='cpu', show_progress=False)
    image = f'{pictures}/0.png'
    found = named(image, ['box'])['predictions'][0]
    assert found.scores.tolist() == inferencer(image, ['box'])['predictions'][0].scores.tolist()


def test_settings_replace_those_of_the_config(index):
    changed, weights = resolve_model('glip_nano', options={'model.test_cfg.score_thr': 0.25})
    assert changed.model.test_cfg.score_thr == 0.25 and weights.startswith('file://')
    own = resolve_model(changed, options={'model.test_cfg.score_thr': 0.5})[0]
    assert (own.model.test_cfg.score_thr, changed.model.test_cfg.score_thr) == (0.5, 0.25)
    with pytest.raises(ValueError, match='--cfg-options model.test_cfg.score_thr.x=1 does not fit'):
        resolve_model(changed, options={'model.test_cfg.score_thr.x': 1})


@pytest.mark.parametrize('name', ['', ' '])
def test_an_empty_name_is_no_folder(name):
    with pytest.raises(ValueError, match='names no model'):
        resolve_model(name)


def test_the_index_inside_a_wheel(index):
    inside = index / 'glip_mm' / '.mim'
    inside.mkdir()
    shutil.move(index / 'configs', inside)
    shutil.move(index / 'model-index.yml', inside)
    assert find_model('glip_nano').config == inside / 'configs/nano/glip_nano.py'


def test_weights_are_downloaded(index, checkpoint, monkeypatch, tmp_path):
    metafile = index / 'configs/nano/metafile.yml'
    metafile.write_text(metafile.read_text().replace(f'file://{checkpoint}',
                                                     'https://example.org/nano.pth'))
    asked = []

    def transfer(choice, part):
        asked.append(choice.address)
        shutil.copy(checkpoint, part)

    monkeypatch.setattr('glip_mm.checkpoints.download._transfer', transfer)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    for _ in range(2):
        GLIPInferencer('glip_nano', device='cpu', show_progress=False)
    assert asked == ['https://example.org/nano.pth']


def test_unknown_names(index):
    with pytest.raises(ValueError, match='glip_nano, glip_unreleased') as info:
        GLIPInferencer('glip_swin-z')
    assert "'glip_swin-z'" in message(info)
    with pytest.raises(ValueError, match='no weights') as info:
        GLIPInferencer('glip_unreleased')
    message(info)


def test_no_index(tmp_path, monkeypatch):
    monkeypatch.setattr(places, 'BESIDE', tmp_path)
    with pytest.raises(FileNotFoundError, match='path of a config') as info:
        GLIPInferencer('glip_nano')
    message(info)


def test_the_repository_has_its_released_models():
    models = list_models()
    assert {'glip_swin-t-a_o365', 'glip_swin-t_o365', 'glip_swin-t_o365-goldg'} <= set(models)
    for model in models.values():
        assert model.config.is_file(), model
        assert model.weights is None or model.weights.startswith('https://')


def test_wrong_paths(config, tmp_path):
    with pytest.raises(FileNotFoundError, match='none.py') as info:
        GLIPInferencer('none.py')
    message(info)
    with pytest.raises(FileNotFoundError, match='model.pth') as info:
        GLIPInferencer('model.pth')
    message(info)
    with pytest.raises(ValueError, match='both checkpoints') as info:
        GLIPInferencer('model.pth', 'other.pth')
    message(info)
    with pytest.raises(FileNotFoundError, match='none.pth') as info:
        GLIPInferencer(config, tmp_path / 'none.pth', device='cpu')
    message(info)
    (tmp_path / 'text.pth').write_text('no checkpoint')
    with pytest.raises(ValueError, match='text.pth') as info:
        GLIPInferencer(config, tmp_path / 'text.pth', device='cpu')
    message(info)


def test_a_checkpoint_of_another_size(checkpoint, tmp_path):
    wide = make_config(write_tiny_bert(tmp_path / 'wide', width=64))
    with pytest.raises(ValueError, match='another size') as info:
        GLIPInferencer(wide, checkpoint, device='cpu')
    assert checkpoint in message(info)


def test_a_checkpoint_of_another_model(config, checkpoint, tmp_path):
    state = read_checkpoint(checkpoint)['state_dict']
    foreign = {key: value for key, value in state.items() if not key.startswith('bbox_head')}
    torch.save(foreign, tmp_path / 'foreign.pth')
    with pytest.raises(ValueError, match='bbox_head') as info:
        GLIPInferencer(config, tmp_path / 'foreign.pth', device='cpu')
    message(info)


def test_a_checkpoint_that_carries_its_config(config, checkpoint, tmp_path, monkeypatch, pictures,
                                              inferencer):
    content = read_checkpoint(checkpoint)
    path = tmp_path / 'own.pth'

    def save(cfg):
        torch.save(dict(content, meta=dict(cfg=cfg.pretty_text)), path)
        return path
    with pytest.raises(ValueError, match='does not say what model it is of: give its config'):
        GLIPInferencer(checkpoint)
    with pytest.raises(ValueError, match='language_model.name=.*and is not used') as info:
        GLIPInferencer(save(config))  # a folder anywhere
    message(info)
    monkeypatch.setattr(safe_config, 'packaged_language_models',
                        lambda: [config.model.language_model.name])
    wrong = deepcopy(config)
    wrong.model.neck.type = 'os.system'
    with pytest.raises(ValueError, match='model.neck.type=.*and is not used'):
        GLIPInferencer(save(wrong))
    own = GLIPInferencer(save(config), device='cpu', show_progress=False)
    image = f'{pictures}/0.png'
    found, wanted = (each(image, ['box'])['predictions'][0] for each in (own, inferencer))
    assert found.to_dict() == wanted.to_dict() and len(found) > 0


def test_a_released_file_has_the_config_of_the_index(index, checkpoint, config, tmp_path):
    metafile = index / 'configs/nano/metafile.yml'
    metafile.write_text(metafile.read_text().replace(f'file://{checkpoint}',
                                                     'https://example.org/nano_1.pth'))
    shutil.copy(checkpoint, tmp_path / 'nano_1.pth')
    found, weights = resolve_model(tmp_path / 'nano_1.pth')
    assert found.model == config.model and weights == str(tmp_path / 'nano_1.pth')


def test_nothing_but_the_checkpoint_is_read(tiny_bert, checkpoint):
    cfg = make_config(tiny_bert)
    cfg.model.language_model.pretrained = True
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='/no/such.pth')
    build_model(cfg, checkpoint)


def test_the_config_is_not_changed(config):
    before = config.pretty_text
    cfg, weights = resolve_model(config, None)
    cfg.model.type = 'Other'
    assert config.pretty_text == before and weights is None


def test_other_detectors_are_refused(config):
    cfg = deepcopy(config)
    cfg.model = dict(type='mmdet.RetinaNet', backbone=config.model.backbone, neck=None,
                     bbox_head=dict(type='mmdet.RetinaHead', num_classes=1, in_channels=8))
    with pytest.raises(TypeError, match='glip_mm.GLIP'):
        build_model(cfg)


def test_no_pipeline(inferencer, config):
    cfg = deepcopy(config)
    cfg.test_dataloader = {}
    with pytest.raises(ValueError, match='test_dataloader'):
        GLIPInferencer(inferencer.model, cfg=cfg)
