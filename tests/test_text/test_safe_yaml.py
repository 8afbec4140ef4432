"""YAML that may come from anywhere."""

import pytest
import yaml

from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.formats.yolo_config import read_yaml
from glip_mm.finetuning.prompt_candidates import read_candidates
from glip_mm.text import Knowledge
from glip_mm.text.safe_yaml import load_yaml

BOMB = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]\n' for i in range(1, 9))
LOADERS = [yaml.SafeLoader, yaml.BaseLoader, getattr(yaml, 'CSafeLoader', yaml.SafeLoader)]


@pytest.mark.parametrize('loader', LOADERS)
def test_what_is_read(loader):
    assert load_yaml('a: &x [b, c]\nd: *x\n', loader) == dict(a=['b', 'c'], d=['b', 'c'])
    assert load_yaml('', loader) is None


@pytest.mark.parametrize('loader', LOADERS)
@pytest.mark.parametrize('text, message', [
    (BOMB, 'more values .* than 10,000,000 .GLIP_MM_MAX_YAML_VALUES'),
    ('a: &a [*a]', 'more values'), ('[' * 100_000, 'nest'),
    ('a: &a\n  <<: *a\n', 'more values'), ('- ' * 3000, 'nested'), ('a: [', 'expected')])
def test_what_is_refused(loader, text, message):
    with pytest.raises(yaml.YAMLError, match=message):
        load_yaml(text, loader)


@pytest.mark.parametrize('text', [BOMB, '[' * 50_000, 'cat: &a [*a]'])
def test_readers(text, tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text(text)
    with pytest.raises(DataError, match='is no YAML'):
        read_yaml(path)
    with pytest.raises(ValueError, match='is not valid YAML'):
        Knowledge(path)
    with pytest.raises(ValueError, match='is not valid YAML'):
        read_candidates(path, ['cat'])
