"""Config and weights from what a user gives."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from glip_mm import safe_config
from glip_mm.finetuning.start import check_start, find_start

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kept(tiny, tmp_path):
    """A function that makes a checkpoint as a training of ours leaves it, with changed settings."""
    def save(**changed):
        content = torch.load(tiny[1], weights_only=True)
        config = Config.fromfile(tiny[0])
        config.merge_from_dict({key.replace('__', '.'): value for key, value in changed.items()})
        text = config.pretty_text + "\nwork_dir = 'elsewhere'\n"
        torch.save(dict(content, meta=dict(cfg=text)), tmp_path / 'kept.pth')
        return str(tmp_path / 'kept.pth')
    return save


def test_the_config_that_a_checkpoint_keeps(tiny, kept, tmp_path, monkeypatch):
    folder = Path(Config.fromfile(tiny[0]).model.language_model.name)
    monkeypatch.setattr(safe_config, 'packaged_language_models', lambda: [str(folder)])
    checkpoint = kept()
    config, weights = find_start(checkpoint, None, tmp_path / 'run')
    assert weights == checkpoint and config.parent == tmp_path / 'run'
    found = Config.fromfile(config)
    assert found.model == Config.fromfile(tiny[0]).model and 'work_dir' not in found
    check_start(config, weights)
    assert find_start(checkpoint, tiny[0], tmp_path)[0] == Path(tiny[0])
    with pytest.raises(ValueError, match='does not say what model it is of: give --config'):
        find_start(tiny[1], None, tmp_path)


@pytest.mark.parametrize('changed', [
    dict(model__neck=dict(type='os.system', command='touch ran')), dict(),
    dict(test_pipeline=[dict(type='builtins.exec', object='1')])])
def test_a_kept_config_that_names_code_or_folders(kept, changed, tmp_path):
    # without changes the language model is a folder, which may be anywhere
    with pytest.raises(ValueError, match="the config in --checkpoint '.*' has .*, and is not used"):
        find_start(kept(**changed), None, tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_models_of_the_index(tiny, tmp_path):
    name = 'glip_swin-t_o365-goldg'
    config, weights = find_start(name, None, tmp_path)
    assert config == ROOT / f'configs/glip/{name}.py' and weights.endswith('.pth')
    # its file by its own name, where it was downloaded
    assert find_start(f'https://some.where/{weights.rpartition("/")[2]}', None,
                      tmp_path)[0] == config
    assert find_start(tiny[1], name, tmp_path) == (config, tiny[1])
    with pytest.raises(ValueError, match='does not say'):
        find_start('https://some.where/x.pth', None, tmp_path)


def test_what_is_not_there(tiny, tmp_path):
    with pytest.raises(FileNotFoundError, match="'none.pth' is not a file.*glip_swin-t_o365"):
        find_start('none.pth', None, tmp_path)
    with pytest.raises(FileNotFoundError, match="--checkpoint '.*' is not a file"):
        find_start(str(tmp_path), None, tmp_path)
    with pytest.raises(FileNotFoundError, match="--config 'none.py' is not a file"):
        find_start(tiny[1], 'none.py', tmp_path)
    (tmp_path / 'junk.pth').write_bytes(b'abc')
    with pytest.raises(ValueError, match='cannot be read safely'):
        find_start(str(tmp_path / 'junk.pth'), None, tmp_path)
    torch.save(dict(w=torch.zeros(1), meta=dict(cfg='import os')), tmp_path / 'code.pth')
    with pytest.raises(ValueError, match="code.pth': the config in the checkpoint is not one of"):
        find_start(str(tmp_path / 'code.pth'), None, tmp_path)


def test_weights_of_another_model(tiny, tmp_path):
    content = torch.load(tiny[1], weights_only=True)
    content['state_dict'].pop('bbox_head.log_scale')
    torch.save(content, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='use the config that belongs to this checkpoint'):
        check_start(Path(tiny[0]), str(tmp_path / 'other.pth'))
