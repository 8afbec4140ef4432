"""The quickstart config reads a world through the ordinary machinery, and its metrics are right."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from glip_mm.datasets.grounding_world import (
    SYNONYMS,
    WorldOptions,
    all_pairs,
    held_out_pairs,
    seen_pairs,
    write_world,
)
from glip_mm.registry import DATASETS, EVALUATOR
from glip_mm.text import Prompt

CONFIG = Path(__file__).parents[2] / 'configs/quickstart/glip_nano_grounding-world.py'


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Config:
    root = tmp_path_factory.mktemp('world')
    write_world(str(root), WorldOptions(detection=12, grounding=12, val=2, test=6, long_tail=6,
                side=96),
                workers=1)
    text = Config.fromfile(CONFIG)
    folder = text.data_root
    return Config(json.loads(json.dumps(text.to_dict()).replace(folder, f'{root}/')))


def build(registry, cfg):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return registry.build(cfg)


def test_words_of_the_config_are_those_of_the_world(config):
    assert list(config.classes) == [p.name for p in all_pairs()]
    assert list(config.synonym_classes) == [p.synonym for p in all_pairs()]
    assert config.synonyms == SYNONYMS
    for view, names in (('seen', config.classes), ('synonyms', config.synonym_classes)):
        file = Path(config.data_root, f'annotations/test_{view}.json')
        categories = json.loads(file.read_text())['categories']
        assert [c['name'] for c in categories] == list(names)


def test_training_data_hold_prompts_whose_labels_fit(config):
    dataset = build(DATASETS, config.train_dataloader.dataset)
    assert len(dataset) == 14  # of 12 each: 1.02 times with class names, 0.146 times with captions
    held = {p.name for p in held_out_pairs()}
    captions, names = 0, set()
    for item in (dataset[i] for i in range(len(dataset))):
        sample = item['data_samples']
        labels = sample.gt_instances.labels
        assert isinstance(sample.prompt, Prompt) and item['inputs'].shape == (3, 96, 96)
        assert len(labels) and int(labels.max()) < len(sample.prompt.entities)
        names |= set(sample.prompt.names)
        captions += ' a ' in f' {sample.prompt.caption} '
    assert names >= {seen_pairs()[0].name} or len(names) > 20
    assert not names & held and captions


def predictions(dataset, right):
    """Perfect detections of every sample, or detections of the wrong class."""
    samples = []
    for i in range(len(dataset)):
        sample = dataset[i]['data_samples']
        truth = sample.gt_instances
        labels = truth.labels if right else (truth.labels + 1) % 64
        boxes = truth.bboxes.tensor if hasattr(truth.bboxes, 'tensor') else truth.bboxes
        sample.pred_instances = InstanceData(bboxes=boxes.clone(), labels=labels,
                                             scores=torch.ones(len(labels)))
        sample.gt_instances = InstanceData(bboxes=boxes, labels=truth.labels)
        samples.append(sample.to_dict())
    return samples


@pytest.mark.parametrize('right', [True, False])
def test_one_evaluation_gives_all_four_views(config, right):
    dataset = build(DATASETS, config.test_dataloader.dataset)
    evaluator = build(EVALUATOR, config.test_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    samples = predictions(dataset, right)
    for sample in samples:
        evaluator.process([sample], None)
    metrics = evaluator.evaluate(len(dataset))
    expected = [1.] * 4 if right else [0.] * 4
    keys = ('seen/coco/bbox_mAP_50', 'unseen/coco/bbox_mAP_50', 'synonyms/coco/bbox_mAP_50',
            'grounding/phrases/Recall@1')
    assert [metrics[k] for k in keys] == expected


def test_detection_prompts_of_the_test_hold_all_names(config):
    dataset = build(DATASETS, config.test_dataloader.dataset)
    assert dataset.cumulative_sizes[:3] == [6, 12, 18]
    for index, names in ((0, config.classes), (6, config.classes), (12, config.synonym_classes)):
        prompt = Prompt.from_data_sample(dataset[index]['data_samples'])
        assert prompt.names == list(names)
