"""Models as folders."""

import json
import os
import re
import shutil
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from glip_mm.apis import GLIPInferencer, Thresholds
from glip_mm.apis.building import resolve_model
from glip_mm.checkpoints import read_checkpoint

NAMES = ['red circle', 'remote_control']


@pytest.fixture(scope='module')
def folder(inferencer, tmp_path_factory) -> Path:
    return inferencer.save_pretrained(tmp_path_factory.mktemp('models') / 'nano')


def test_the_same_predictions_to_the_bit(folder, inferencer, pictures):
    assert sorted(path.name for path in folder.iterdir()) == [
        'README.md', 'config.json', 'language_model', 'model.safetensors']
    again = GLIPInferencer.from_pretrained(folder, device='cpu', show_progress=False)
    for found, wanted in zip(again(pictures, NAMES), inferencer(pictures, NAMES)):
        assert len(found) > 0 and found.names == wanted.names
        assert found.boxes.tobytes() == wanted.boxes.tobytes()
        assert found.scores.tobytes() == wanted.scores.tobytes()
    state = read_checkpoint(folder / 'model.safetensors')
    assert all(torch.equal(state[key], value)
               for key, value in inferencer.model.state_dict().items())


def test_nothing_of_this_machine_is_in_it(folder, tiny_bert):
    content = json.loads((folder / 'config.json').read_text())
    assert content['model_type'] == 'glip' and content['library_name'] == 'glip_mm'
    assert content['model']['language_model']['name'] == 'language_model'
    for path in folder.rglob('*'):
        if path.is_file():
            assert str(Path(tiny_bert).parent).encode() not in path.read_bytes(), path


def test_a_folder_moves_and_is_copied_on(folder, tmp_path, pictures, inferencer):
    moved = shutil.copytree(folder, tmp_path / 'elsewhere')
    model = GLIPInferencer(moved, device='cpu', show_progress=False)
    model.thresholds = Thresholds(0.5, {'red circle': 0.6})
    second = model.save_pretrained(tmp_path / 'second')
    with pytest.raises(FileExistsError, match='second'):
        model.save_pretrained(second)
    last = GLIPInferencer(str(second), device='cpu', show_progress=False)
    assert last.thresholds == model.thresholds
    assert (second / 'config.json').read_text() == (folder / 'config.json').read_text()
    image = f'{pictures}/0.png'
    assert last(image, NAMES)[0].to_dict() == inferencer(image, NAMES)[0].to_dict()


@pytest.mark.parametrize('key, value', [
    ('type', 'os.system'), ('neck', dict(type='builtins.exec', code='1')),
    ('language_model', dict(type='BertLanguageModel', name='/home/user/bert')),
    ('test_cfg', dict(custom_imports=dict(imports=['antigravity'])))])
def test_what_names_code_or_files_is_refused(folder, tmp_path, key, value):
    bad = shutil.copytree(folder, tmp_path / 'bad')
    content = json.loads((bad / 'config.json').read_text())
    content['model'][key] = value
    (bad / 'config.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='config.json.*and is not used'):
        resolve_model(bad)


@pytest.mark.parametrize('name, text, message', [
    ('config.json', '"auto_map": {"AutoConfig": "x.Y"}', 'brings code'),
    ('config.json', r'"auto\\u005fmap": {"AutoConfig": "x.Y"}, "model_type": "x"', 'brings code'),
    ('tokenizer_config.json', r'"auto\\u005fmap": {"AutoTokenizer": ["x.Y", null]}', 'brings code'),
    ('config.json', '"_attn_implementation": "owner/kernel"', 'brings code, or has some fetched'),
    ('config.json', '"quantization_config": {"quant_method": "x"}', 'has some fetched'),
    ('config.json', '"model_type": "timm_backbone"', "model_type='timm_backbone', which is no"),
    ('config.json', '"model_type": ["bert"]', 'which is no language model'),
    ('config.json', '"num_hidden_layers": 1000000', 'num_hidden_layers.*GLIP_MM_MAX_LAYERS'),
    ('config.json', '"layer_norm_eps": NaN', "layer_norm_eps='nan', which is no number"),
    ('config.json', '[', 'is no JSON')])
def test_a_language_model_that_is_no_plain_one_is_refused(folder, tmp_path, name, text, message):
    bad = shutil.copytree(folder, tmp_path / 'bad')
    path = bad / 'language_model' / name
    # the last of equal keys counts
    path.write_text(re.sub('}\\s*$', f',{text}}}', path.read_text()))
    with pytest.raises(ValueError, match=f'{name}.*{message}'):
        resolve_model(bad)


def test_a_pipe_in_a_language_model_is_not_waited_for(folder, tmp_path):
    for name in ('special_tokens_map.json', 'merges.txt'):
        bad = shutil.copytree(folder, tmp_path / name)
        os.mkfifo(bad / 'language_model' / name)
        with pytest.raises((FileNotFoundError, ValueError), match=f'{name}.*no regular file'):
            resolve_model(bad)


def test_folders_that_are_none(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match='has no config.json'):
        resolve_model(tmp_path)
    bad = shutil.copytree(folder, tmp_path / 'bad')
    edited = (bad / 'config.json').read_text()
    (bad / 'config.json').write_text(f'\ufeff{edited}')
    assert resolve_model(bad)[0].test_dataloader == resolve_model(folder)[0].test_dataloader
    for text in ('', '[]', '{"model": []}', '{' * 5000, '[' * 400 + ']' * 400):
        (bad / 'config.json').write_text(text)
        with pytest.raises(ValueError, match='config.json'):
            resolve_model(bad)
    with pytest.raises(ValueError, match='has weights of its own'):
        resolve_model(folder, 'x.pth')


def test_a_language_model_without_words(folder, tmp_path):
    bad = shutil.copytree(folder, tmp_path / 'bad')
    for path in [*(bad / 'language_model').glob('tokenizer*'), *bad.glob('language_model/vocab*')]:
        path.unlink()
    with pytest.raises(FileNotFoundError, match='language_model.* has none of tokenizer.json'):
        resolve_model(bad)


def test_paths_are_not_saved(inferencer, config, tmp_path):
    cfg = deepcopy(config)
    cfg.model.class_texts = dict(knowledge='/home/user/names.json')
    built = GLIPInferencer(inferencer.model, cfg=cfg, show_progress=False)
    with pytest.raises(ValueError, match='holds no code and no paths: .*class_texts.knowledge'):
        built.save_pretrained(tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_ids_on_the_hub(folder, monkeypatch):
    import huggingface_hub
    asked = []

    def snapshot_download(name, revision=None, allow_patterns=None):
        asked.append((name, revision))
        assert '*.py' not in allow_patterns
        return str(folder)
    with pytest.raises(FileNotFoundError, match="'some/model' is no folder here, and can not be"):
        GLIPInferencer.from_pretrained('some/model')  # offline
    monkeypatch.setattr(huggingface_hub, 'snapshot_download', snapshot_download)
    GLIPInferencer.from_pretrained('some/model', revision='v1', device='cpu')
    assert resolve_model('some/model-1.5')[1] == str(folder / 'model.safetensors')
    assert asked == [('some/model', 'v1'), ('some/model-1.5', None)]
    with pytest.raises(FileNotFoundError, match='neither a folder nor the id'):
        GLIPInferencer.from_pretrained('no-owner')


@pytest.mark.parametrize('key, value, message', [
    ('model.backbone.base_channels', '\ud800', r"model.backbone.base_channels=.*is no text"),
    ('model.fusion_neck.num_layers', 10 ** 39, 'model.fusion_neck.num_layers=.*beyond 256'),
    ('model.fusion_neck.num_layers', 257, 'GLIP_MM_MAX_LAYERS'),
    ('model.backbone.base_channels', 1 << 32, 'GLIP_MM_MAX_CONFIG_NUMBER'),
    ('model.backbone.base_channels', 1 << 21, 'asks for more parameters'),
    ('model.backbone.base_channels', 1 << 31, 'cannot be built: '),
    ('model.backbone.base_channels', 10 ** 400, 'a number of 1329 bits'),
    ('model.backbone.base_channels', 1 << 14, 'asks for more parameters than .*model.safetensors'),
    ('model.neck.in_channels.0', -1, 'cannot be built: '),
    ('model.neck.nobody', 1, 'nobody'),
    ('model.data_preprocessor.mean.1', {'a': 1}, 'cannot be built: RuntimeError'),
    ('model.data_preprocessor.mean', [1.] * 7, 'cannot be built: '),
    ('test_pipeline.1.scale', 'ab', 'cannot be built: TypeError: Scale must be'),
    ('test_pipeline.1.scale', [1 << 20, 1 << 20], 'cannot be built: '),
    ('test_pipeline.-1.meta_keys', '7', "cannot be built: .*'img_shape'")])
def test_impossible_settings_are_one_error_at_loading(folder, tmp_path, key, value, message):
    bad = shutil.copytree(folder, tmp_path / 'bad')
    content = json.loads((bad / 'config.json').read_text())
    *path, last = [int(k) if k.lstrip('-').isdecimal() else k for k in key.split('.')]
    part = content
    for each in path:
        part = part[each]
    assert isinstance(part, list) or last in part or last in ('nobody', 'num_layers')
    part[last] = value
    (bad / 'config.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'config.json.*{message}'):
        GLIPInferencer.from_pretrained(bad, device='cpu', show_progress=False)
