"""The config that a run writes, and prompts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.datasets.transforms.build_prompt import BuildPrompt
from glip_mm.finetuning import (
    ClassPrompts,
    RunSettings,
    finetune_config,
    folder_splits,
    read_class_prompts,
    write_config,
)
from glip_mm.registry import DATASETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(pets, tiny, tmp_path):
    """Writes a config and reads it again."""
    def make(prompts=None, options=None, name='made.py', **settings):
        content = finetune_config(Config.fromfile(tiny[0]), folder_splits(pets),
                                  RunSettings(**settings), tiny[1], prompts)
        path = write_config(tmp_path / name, tiny[0], content, 'as a test', options)
        return Config.fromfile(path)
    return make


@pytest.mark.parametrize('shots, copies, step, stop', [
    (1, 8, 3, 8), (3, 4, 3, 8), (5, 2, 3, 8), (10, 1, 3, 8), (None, 1, 2, 4)])
def test_published_recipe(made, shots, copies, step, stop):
    config = made(shots=shots)
    assert config.train_dataloader.dataset.get('times', 1) == copies
    assert config.train_cfg.max_epochs == 200 and config.train_dataloader.batch_size == 4
    assert config.param_scheduler[0].patience == step
    assert config.custom_hooks[-1].patience == stop
    assert config.optim_wrapper.optimizer == dict(type='AdamW', lr=1e-4, weight_decay=0.05)
    assert 'tuning' not in config.model


def test_prompt_tuning_has_rates_of_its_own(made):
    config = made(tuning='prompt')
    assert config.model.tuning == 'prompt'
    assert config.optim_wrapper.optimizer.lr == 0.05
    assert config.optim_wrapper.optimizer.weight_decay == 0.25
    assert made(tuning='prompt', lr=0.1, name='b.py').optim_wrapper.optimizer.lr == 0.1
    both = made(tuning='linear_prompt', name='c.py').optim_wrapper
    offset = both.paramwise_cfg.custom_keys.prompt_table
    assert offset.lr_mult * both.optimizer.lr == pytest.approx(0.05)
    assert offset.decay_mult * both.optimizer.weight_decay == pytest.approx(0.25)
    with pytest.raises(ValueError, match='--tuning prompt learns one prompt'):
        made(ClassPrompts({}, dict(cat=['kitty'])), tuning='prompt')
    with pytest.raises(ValueError, match="tuning must be one of .* got 'some'"):
        made(tuning='some')


def test_training_says_what_tests_say(made, tmp_path):
    (tmp_path / 'p.json').write_text(json.dumps(dict(
        cat=dict(phrase='house cat', suffix=' asleep'), dog=dict(prefix='big '))))
    config = made(read_class_prompts(tmp_path / 'p.json', ('cat', 'dog')))
    with DefaultScope.overwrite_default_scope('glip_mm'):
        train = DATASETS.build(config.train_dataloader.dataset)[0]['data_samples']
        test = DATASETS.build(config.test_dataloader.dataset)[0]['data_samples']
    assert train.prompt.caption == 'house cat asleep. big dog'
    from glip_mm.text import Prompt
    assert Prompt.from_data_sample(test.metainfo).caption == train.prompt.caption
    # picture 0 holds both classes, in the order of their ids
    assert train.gt_instances.labels.tolist() == [0, 1]


def test_images_without_boxes_are_left_out_as_published(made, pets):
    path = pets / 'train/_annotations.coco.json'
    content = json.loads(path.read_text())
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] > 2]
    path.write_text(json.dumps(content))
    with DefaultScope.overwrite_default_scope('glip_mm'):
        config = made()
        assert len(DATASETS.build(config.train_dataloader.dataset)) == 9
        assert len(DATASETS.build(config.val_dataloader.dataset)) == 4
        kept = made(keep_empty=True, name='b.py')
        assert len(DATASETS.build(kept.train_dataloader.dataset)) == 12


def test_options_are_in_the_file_and_other_settings_refused(made):
    config = made(options={'train_cfg.max_epochs': 3})
    assert config.train_cfg.max_epochs == 3
    made(options={'train_cfg.max_epochs': 3})
    with pytest.raises(ValueError, match='of a run with other settings'):
        made(seed=5)


def test_other_annotations_are_another_run(made, pets):
    made()
    path = pets / 'test/_annotations.coco.json'
    path.write_text(path.read_text().replace('28', '27'))
    with pytest.raises(ValueError, match=r"(?s)\(- then, \+ now\):\n  -    test='\w+'.*\+ "):
        made()


def test_the_run_is_looked_at_before_it_begins_and_when_it_finds_nothing(made):
    hooks = [hook.type for hook in made().custom_hooks]
    assert hooks[:2] == ['glip_mm.PreflightHook', 'glip_mm.FirstEvaluationHook']
    assert made().custom_hooks[0].tests


def test_classes_that_no_prompt_holds_are_all_learned(tiny, pets, tmp_path):
    names = ('cat', *(f'long name of a thing number {i}' for i in range(100)), 'dog')
    splits = replace(folder_splits(pets), classes=names)
    content = finetune_config(Config.fromfile(tiny[0]), splits, RunSettings(), tiny[1])
    step, = [s for s in content['train_dataloader']['dataset']['pipeline']
             if s['type'] == 'glip_mm.BuildPrompt']
    build = BuildPrompt(**{k: v for k, v in step.items() if k != 'type'})
    out = build(dict(text=names, gt_bboxes=np.zeros((2, 4)), gt_bboxes_labels=np.array([0, 101]),
                     gt_ignore_flags=np.zeros(2, bool), img_path='x', img_id=1))
    assert {out['prompt'].names[label] for label in out['gt_bboxes_labels']} == {'cat', 'dog'}
    assert len(out['prompt'].names) > 10
    with pytest.raises(ValueError, match='102 classes need several'):
        finetune_config(Config.fromfile(tiny[0]), splits, RunSettings(tuning='prompt'), tiny[1])


def test_a_base_that_was_tuned_itself(tiny, pets, tmp_path):
    base = Config.fromfile(tiny[0])
    base.model.tuning = 'linear'
    content = finetune_config(base, folder_splits(pets), RunSettings(), tiny[1])
    assert content['model']['tuning'] is None


@pytest.mark.parametrize('name', [
    "bob's pets", "x'];import os#", 'a\nb', 'a\\b', '{{$X:1}}', "'''"])
def test_names_of_folders_and_classes_are_no_code(tiny, pets, tmp_path, name):
    pets.rename(tmp_path / name)
    splits = folder_splits(tmp_path / name)
    prompts = ClassPrompts({'cat': dict(name=name, prefix='', suffix='')}, {})
    content = finetune_config(Config.fromfile(tiny[0]), splits, RunSettings(), tiny[1], prompts)
    path = write_config(tmp_path / 'a.py', tiny[0], content, f'finetune.py {name}')
    found = Config.fromfile(path)
    assert found.val_evaluator.datasets == {splits.name: str(splits.val.ann_file)}
    assert found.val_dataloader.dataset.caption_prompt.to_dict()['cat']['name'] == name
    assert found.pretty_text and splits.name == name
    # the same settings again are the same run
    assert write_config(path, tiny[0], content, 'again') == path
    content['test_dataloader']['dataset']['caption_prompt']['_delete_'] = {}
    with pytest.raises(ValueError, match="has the key '_delete_'"):  # it would be lost
        write_config(tmp_path / 'b.py', tiny[0], content, 'a class of that name')


@pytest.mark.parametrize('content, message', [
    ('[', 'is no JSON'), ('[' * 100_000, 'no JSON|nested'),
    ('[]', 'got a list'), ('{"bird": {}}', r"names \['bird'\]"),
    ('{"cat": {"name": "x"}}', 'keys among'), ('{"cat": {"phrase": " "}}', 'it must be a text'),
    ('{"cat": {"synonyms": "kitty"}}', 'a list of names'),
    ('{"cat": {"phrase": "x", "synonyms": ["y"]}}', 'a phrase and synonyms')])
def test_prompts_that_can_not_be(tmp_path, content, message):
    (tmp_path / 'p.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        read_class_prompts(tmp_path / 'p.json', ('cat', 'dog'))


@pytest.mark.parametrize('base', ['glip/glip_swin-t_o365-goldg', 'glip/glip_swin-l_mixed',
                                  'odinw/glip_swin-t_o365-goldg_odinw13', 'real/glip_nano_bccd',
                                  'coco/glip_swin-t_o365-goldg_coco',
                                  'quickstart/glip_nano_grounding-world'])
def test_any_config_of_a_model_is_a_base(pets, tmp_path, base):
    path = ROOT / f'configs/{base}.py'
    content = finetune_config(Config.fromfile(path), folder_splits(pets), RunSettings(shots=5), 'x')
    config = Config.fromfile(write_config(tmp_path / 'a.py', path, content, 'as a test'))
    # nothing of the base's data, loops and hooks is left
    content = str(config.to_dict())
    assert '_delete_' not in content and 'AveragedWeightsHook' not in content
    for part in ('train', 'val', 'test'):
        data = config[f'{part}_dataloader'].dataset
        data = data.get('dataset', data)
        assert data.type == 'glip_mm.ZeroShotDataset' and data.dataset_name == 'pets'
    build, = [t for t in data_pipeline(config) if t.type == 'glip_mm.BuildPrompt']
    assert build.tokenizer == config.model.language_model.name and not build.shuffle
    assert not any(t.type == 'glip_mm.FlipWithWords' for t in data_pipeline(config))
    assert config.model.backbone.get('init_cfg') is None
    assert config.default_hooks.checkpoint.get('by_epoch', True) and config.log_processor.by_epoch
    assert config.model.backbone.get('frozen_stages', 1) == 1
    with DefaultScope.overwrite_default_scope('glip_mm'):
        sample = DATASETS.build(config.train_dataloader.dataset)[0]['data_samples']
    assert sample.prompt.caption == 'cat. dog' and len(sample.gt_instances) == 2


def data_pipeline(config):
    return config.train_dataloader.dataset.dataset.pipeline
