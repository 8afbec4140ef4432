"""The checker must be able to fail."""

import json

import numpy as np
import pytest

from dev.parity.architecture import model_config
from dev.parity.golden import GoldenCase, find_cases
from dev.parity.inference import match_detections
from dev.parity.table import Row, format_table

from .conftest import GOLDEN

CASE = GOLDEN / 'glip_t' / 'infer_ab_short'


@pytest.fixture
def case(tmp_path):
    """A case with one sampled and one full tensor."""
    value = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    index = np.array([0, 5, 23], dtype=np.int32)
    mask = np.array([[1, 1, 0], [1, 0, 0]], dtype=np.uint8)
    np.savez(tmp_path / 'c.npz', sampled=value.reshape(-1)[index], i=index,
             full=value.reshape(-1), attention_mask=mask)
    entry = dict(shape=[2, 3, 4], absmax=23.0)
    (tmp_path / 'c.json').write_text(json.dumps(dict(tensors=dict(
        sampled=dict(entry, full=False, idx='i'), full=dict(entry, full=True, idx=None)))))
    (tmp_path / 'keys.json').write_text('{"keys": {}}')
    return GoldenCase(tmp_path / 'c.npz'), value


def test_samples_are_found_and_missed(case):
    case, value = case
    assert case.compare('sampled', value, 1e-6).difference == 0
    changed = value.copy()
    changed[1, 2, 3] += 0.5
    row = case.compare('sampled', changed, 1e-6)
    assert row.difference == 0.5 and not row.passed
    assert case.compare('full', changed, 1.0, relative=True).difference == pytest.approx(0.5 / 23)
    assert not case.compare('full', value[:1], 1.0).passed
    assert not case.compare('full', None, 1.0).passed
    changed[0, 0, 0] = np.nan
    assert not case.compare('sampled', changed, 1e9).passed


def test_padded_tokens_are_left_out(case):
    case, value = case
    cropped = value[:, :2].copy()
    assert case.compare('full', cropped, 1e-6, token_axis=1).passed
    cropped[1, 1] = 99  # padding of the second text
    assert case.compare('full', cropped, 1e-6, token_axis=1).passed
    cropped[0, 1, 2] += 1
    assert not case.compare('full', cropped, 1e-6, token_axis=1).passed


def test_detections_match_as_sets():
    import torch
    from mmengine.structures import InstanceData
    boxes = np.array([[0, 0, 9, 9], [5, 5, 20, 20]], dtype=np.float32)
    scores, labels = np.array([0.9, 0.8], dtype=np.float32), np.array([2, 1])

    def verdicts(my_boxes, my_scores, my_labels):
        mine = InstanceData(bboxes=torch.tensor(my_boxes), scores=torch.tensor(my_scores),
                            labels=torch.tensor(my_labels))
        return [r.passed for r in match_detections(boxes, scores, labels, mine, 'd')]

    half_open = [[5., 5., 21., 21.], [0., 0., 10., 10.]]
    assert verdicts(half_open, [0.8, 0.9], [0, 1]) == [True, True, True]
    assert verdicts(half_open, [0.8, 0.9], [1, 1])[0] is False  # another label
    assert verdicts(half_open, [0.8, 0.901], [0, 1]) == [True, False, True]
    assert verdicts([[5., 5., 21.05, 21.], half_open[1]], [0.8, 0.9], [0, 1])[2] is False
    assert verdicts(half_open[:1], [0.8], [0])[0] is False  # one is missing
    assert verdicts(half_open + half_open[:1], [0.8, 0.9, 0.8], [0, 1, 0])[0] is False


def test_sizes_come_from_the_keys(tmp_path):
    from tests.test_checkpoints.official import official_shapes
    shapes = official_shapes('glip_t')
    config = model_config(shapes, tmp_path)
    assert config['backbone']['depths'] == [2, 2, 6, 2]
    assert config['backbone']['num_heads'] == [3, 6, 12, 24]
    assert config['backbone']['window_size'] == 7
    assert config['neck']['in_channels'] == [192, 384, 768]
    assert config['fusion_neck']['num_layers'] == 6
    assert config['fusion_neck']['embed_dim'] == 2048
    assert config['language_model']['name'] == 'bert-base-uncased'
    assert not model_config(official_shapes('glip_a'), tmp_path)['fusion_neck']['fuse']
    large = model_config(official_shapes('glip_l'), tmp_path)
    assert large['backbone']['depths'] == [2, 2, 18, 2]
    assert large['fusion_neck']['num_layers'] == 8
    shapes['language_backbone.body.model.embeddings.position_embeddings.weight'] = (77, 768)
    other = model_config(shapes, tmp_path / 'bert')['language_model']['name']
    assert json.loads((tmp_path / 'bert' / 'config.json').read_text())[
        'max_position_embeddings'] == 77
    assert other == str(tmp_path / 'bert')


def test_cases_are_found():
    assert [c.name for c in find_cases([GOLDEN / 'glip_t'])] == [
        'glip_t/infer_ab_short', 'glip_t/train_mlm']
    for path in (CASE, CASE.with_suffix('.npz'), CASE.with_suffix('.json')):
        assert find_cases([path])[0].name == 'glip_t/infer_ab_short'
    with pytest.raises(FileNotFoundError, match='nothing.json'):
        find_cases([GOLDEN / 'glip_t' / 'nothing'])


def test_table_names_misses():
    table = format_table([Row('good', 0.0, 1e-4), Row('bad', 1.0, 1e-4, 'why'),
                          Row('nan', float('nan'), 1.0)])
    assert [('MISS' in line) for line in table.splitlines()] == [False, False, True, True]
