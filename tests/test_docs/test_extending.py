"""The examples of docs/extending.md do what the page says."""

import importlib
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.datasets.converters import FORMATS
from glip_mm.datasets.formats import FORMATS as FOLDER_FORMATS
from glip_mm.datasets.formats import open_folder
from glip_mm.models.tuning import MODES
from glip_mm.registry import DATASETS, MODELS
from glip_mm.text import Prompt
from tests.test_models.nano import (
    data_sample,
    image,
    losses_of,
    nano_config,
    predict,
    write_tiny_bert,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs' / 'extending.md').read_text(encoding='utf-8')
BLOCKS = dict(re.findall(r'^```python title="([^"]+)"\n(.*?)^```', PAGE, re.M | re.S))
NAMES = ('head', 'helmet', 'person')


@pytest.fixture(scope='module')
def clone(tmp_path_factory):
    """A clone in small: configs, the files of the page, and some data."""
    root = tmp_path_factory.mktemp('clone')
    shutil.copytree(ROOT / 'configs', root / 'configs')
    for name, text in BLOCKS.items():
        if name.endswith('.py'):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text, encoding='utf-8')
    images = root / 'data/helmets/images'
    images.mkdir(parents=True)
    for i in range(3):
        Image.new('RGB', (96, 64), (80 * i, 120, 160)).save(images / f'{i}.png')
    content = dict(
        images=[dict(id=i, file_name=f'{i}.png', width=96, height=64) for i in range(3)],
        annotations=[dict(id=i + 1, image_id=i, category_id=i + 1, bbox=[8, 8, 40, 40], area=1600,
                          iscrowd=0) for i in range(3)],
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(NAMES)])
    for split in ('train', 'val'):
        (root / f'data/helmets/{split}.json').write_text(json.dumps(content))
    rows = [f'{i}.png,96,64,8,8,48,48,{name}' for i, name in enumerate(NAMES)]
    (root / 'data/helmets/boxes.csv').write_text(
        '\n'.join(['image,width,height,x1,y1,x2,y2,name', *rows]))
    write_tiny_bert(root / 'bert')
    return root


@pytest.fixture
def example(clone, monkeypatch):
    """Imports a module of the page; what it registers is forgotten afterwards."""
    registries = (FORMATS, FOLDER_FORMATS, MODES, MODELS.module_dict)
    before = [dict(registry) for registry in registries]
    monkeypatch.syspath_prepend(str(clone))
    monkeypatch.chdir(clone)
    yield lambda name: importlib.import_module(f'my_glip.{name}')
    for registry, content in zip(registries, before):
        registry.clear()
        registry.update(content)
    for name in [name for name in sys.modules if name.split('.')[0] == 'my_glip']:
        del sys.modules[name]


def model_with(clone, name, **changes):
    """A nano model with what a block of the page changes."""
    scope: dict = {}
    exec(BLOCKS[f'model: {name}'], scope)
    config = Config(dict(model=nano_config(str(clone / 'bert'))))
    config.merge_from_dict(dict(model=scope['model']))
    config.merge_from_dict(dict(model=changes))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return MODELS.build(config.model)


def check(model):
    """Losses with gradients, and detections with names of the prompt."""
    images = [image(0), image(1)]
    samples = [data_sample(NAMES, [[8, 8, 48, 48]], [1]), data_sample(('cat',))]
    losses = losses_of(model, images, samples)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    found = predict(model, images, [data_sample(NAMES), data_sample(('cat',))])
    assert {name for s in found for name in s.pred_instances.label_names} <= {*NAMES, 'cat'}
    return losses


def test_own_data(clone, example):
    config = Config.fromfile('configs/mine/helmets.py')
    assert config.model.backbone.type == 'SwinTransformer' and config.train_cfg.max_epochs == 12
    assert config.param_scheduler[0].end == 101 and len(config.param_scheduler) == 2
    with DefaultScope.overwrite_default_scope('glip_mm'):
        train = DATASETS.build(config.train_dataloader.dataset)
        val = DATASETS.build(config.val_dataloader.dataset)
        model = MODELS.build(nano_config(str(clone / 'bert')))
    sample = train[0]['data_samples']
    assert tuple(sample.prompt.names) == NAMES and len(sample.gt_instances) == 1
    data = model.data_preprocessor(dict(inputs=[train[0]['inputs']], data_samples=[sample]), True)
    assert all(loss.isfinite() for loss in model(**data, mode='loss').values())
    assert len(val) == 3 and tuple(val[0]['data_samples'].text) == NAMES
    assert config.test_dataloader.dataset.ann_file == 'val.json'
    assert config.val_evaluator.ann_file == config.test_evaluator.ann_file == (
        'data/helmets/val.json')


def test_data_format(clone, example):
    example('csv_format')
    dataset = DATASETS.build(dict(
        type='GroundingDataset', format='csv', ann_file='boxes.csv', data_root='data/helmets',
        data_prefix=dict(img='images')))
    assert len(dataset) == 3 and dataset.metainfo['classes'] == NAMES
    info = dataset.get_data_info(1)
    assert info['instances'][0]['bbox'] == [8, 8, 48, 48] and info['text'][1] == 'helmet'
    assert Path(info['img_path']).is_file()
    with pytest.raises(ValueError, match='none of folder, odvg, tar, coco, .*csv'):
        DATASETS.build(dict(type='GroundingDataset', format='no_such', ann_file='boxes.csv',
                            data_root='data/helmets'))


def test_folder_format(clone, example):
    example('csv_folder')
    folder = clone / 'data/helmets_csv'
    shutil.copytree(clone / 'data/helmets/images', folder / 'images')
    rows = (clone / 'data/helmets/boxes.csv').read_text()
    (folder / 'boxes_train.csv').write_text(rows)
    (folder / 'boxes_valid.csv').write_text(rows.replace('8,8,48,48', '8,8,8,48', 1))
    opened = open_folder(folder)
    assert opened.format.name == 'csv-folder' and list(opened.splits) == ['train', 'val']
    assert opened.classes('val') == tuple(sorted(NAMES))
    assert opened.content('train')['annotations'][0]['bbox'] == [8, 8, 40, 40]
    assert opened.report('val').examples == {'box of no width or height': 'boxes_valid.csv line 2'}


def test_backbone(clone, example):
    module = example('backbone')
    model = model_with(clone, 'backbone')
    assert isinstance(model.backbone, module.StridedConvs)
    maps = model.backbone(torch.zeros(1, 3, 64, 96))
    assert [tuple(x.shape[1:]) for x in maps] == [(16, 8, 12), (32, 4, 6), (64, 2, 3)]
    check(model)


def test_language_model(clone, example):
    module = example('language_model')
    model = model_with(clone, 'language_model')
    assert isinstance(model.language_model, module.WordVectors)
    check(model)
    assert model.language_model.vectors.weight.grad.abs().sum() > 0
    # longer than one prompt
    model.language_model.max_tokens = 6
    chunks = model.prompts.chunks(Prompt.from_data_sample(data_sample((*NAMES, 'glove'))))
    assert [list(chunk.prompt.names) for chunk in chunks] == [['head', 'helmet'],
                                                              ['person', 'glove']]


def test_benchmark(clone, example, monkeypatch):
    from glip_mm.apis import benchmarks
    from glip_mm_cli import benchmarks as names
    for module in (benchmarks, names):
        monkeypatch.setattr(module, 'shared_root', lambda: clone)
    assert 'helmets' in names.benchmark_names()
    config = Config.fromfile('configs/glip/glip_swin-t_o365-goldg.py')
    benchmarks.apply_benchmark(config, 'helmets')
    assert config.benchmark == 'helmets' and 'train_dataloader' not in config
    assert config.model.test_cfg.max_per_img == 300
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(config.test_dataloader.dataset)
    assert len(dataset) == 3 and tuple(dataset.metainfo['classes']) == NAMES


def test_loss(clone, example):
    example('loss')
    losses = check(model_with(clone, 'loss'))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        usual = check(MODELS.build(nano_config(str(clone / 'bert'))))
    assert losses['loss_region_word'] < usual['loss_region_word']
    assert losses['loss_bbox'] == usual['loss_bbox']
    other = check(model_with(clone, 'loss_bbox'))
    assert other['loss_region_word'] == usual['loss_region_word']
    assert other['loss_bbox'] != usual['loss_bbox']


def test_tuning_mode(clone, example):
    example('tuning')
    model = model_with(clone, 'tuning')
    learns = {name.split('.')[0] for name, p in model.named_parameters() if p.requires_grad}
    assert learns == {'fusion_neck'}
    model.train()
    assert model.fusion_neck.training and not model.bbox_head.training
    check(model)


def test_the_page_has_no_other_examples():
    assert len(BLOCKS) == 13
    for name in re.findall(r'\b(?:tools|configs)/[\w/-]+\.py', PAGE):
        assert (ROOT / name).is_file() or name in BLOCKS, name
