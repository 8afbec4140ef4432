"""Every benchmark's config, run in small: its data sets, pipelines, prompts and metrics.

The model is a nano one with the config's own test_cfg, and images are made small; all else is what
the config says.
"""

import json
import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from PIL import Image

import glip_mm.datasets  # noqa: F401
import glip_mm.evaluation  # noqa: F401
import glip_mm.models  # noqa: F401
from glip_mm.apis.expected_metrics import expected_metrics
from glip_mm.apis.launch import augment_tests
from glip_mm.registry import DATASETS, METRICS, MODELS
from tests.test_models.nano import nano_config, write_tiny_bert

from .test_zero_shot import BENCHMARKS, config
from .test_zero_shot import MODELS as MODEL_NAMES

W, H = 96, 64
WANTED = dict(
    coco={'coco/bbox_mAP'}, coco_testdev={'coco/images', 'coco/boxes'},
    d3={'d3/FULL_mAP', 'd3/PRES_mAP', 'd3/ABS_mAP_very_long'},
    lvis={'lvis/AP', 'lvis/APr', 'lvis_standard/APf'},
    flickr30k={'phrases/any/Recall@1', 'phrases/merged/Recall@10/people'},
    refcoco={'refcoco/Precision@1/refcoco_val'}, odinw={'odinw/mean', 'odinw/pothole'})
BOX = [10, 12, 40, 30]  # xywh


def save_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (H, W, 3), np.uint8)).save(path)


def save_json(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def coco_file(path, names, **image):
    save_json(path, images=[dict(id=7, width=W, height=H, file_name='a.jpg', **image)],
              categories=[dict(id=i + 1, name=n, frequency='rcf'[i % 3])
                          for i, n in enumerate(names)],
              annotations=[dict(id=1, image_id=7, category_id=1, bbox=BOX, area=1200, iscrowd=0,
                                segmentation=[])])


def make_coco(root, found):
    coco_file(root / found.ann_file, ['person', 'cat', 'dog'])
    save_image(root / found.data_prefix.img / 'a.jpg')


def make_d3(root, found):
    for subset in ('full', 'pres', 'abs'):
        coco_file(root / found.data_root / f'd3_json/d3_{subset}_annotations.json',
                  ['man in red', 'man without a hat', 'dog'])
    tables = dict(images={7: dict(group_id=2)}, groups={2: dict(inner_sent_id=[2, 1])})
    (root / found.scenarios).mkdir(parents=True)
    for name, table in tables.items():
        (root / found.scenarios / f'{name}.pkl').write_bytes(pickle.dumps(table))
    save_image(root / found.data_prefix.img / 'a.jpg')


def make_lvis(root, found):
    coco_file(root / found.ann_file, [f'thing_{i}' for i in range(83)],
              coco_url='http://x.org/val2017/a.jpg', neg_category_ids=[2],
              not_exhaustive_category_ids=[])
    save_image(root / 'val2017/a.jpg')


def make_flickr(root, found):
    folder = (root / found.ann_file).parent
    for name in ('Sentences', 'Annotations'):
        (folder / name).mkdir(parents=True)
    (root / found.ann_file).write_text('12')
    (folder / 'Sentences/12.txt').write_text('[/EN#1/people A man] in [/EN#2/clothing red] .')
    (folder / 'Annotations/12.xml').write_text(
        f'<a><size><width>{W}</width><height>{H}</height></size><object><name>1</name><bndbox>'
        '<xmin>5</xmin><ymin>5</ymin><xmax>40</xmax><ymax>40</ymax></bndbox></object></a>')
    save_image(root / found.data_prefix.img / '12.jpg')


def make_expressions(root, found):
    save_json(root / found.ann_file, annotations=[dict(id=1, image_id=7, bbox=BOX)],
              images=[dict(id=7, width=W, height=H, file_name='a.jpg', caption='man on the left')])
    save_image(root / found.data_prefix.img / 'a.jpg')


def make_odinw(root, found):
    coco_file(root / found.ann_file, [f'c{i}' for i in range(len(found.metainfo.classes))])
    save_image(root / found.ann_file.rpartition('/')[0] / 'a.jpg')


MAKE = dict(coco=make_coco, d3=make_d3, lvis=make_lvis, flickr30k=make_flickr,
            refcoco=make_expressions, odinw=make_odinw)


def move(part, root):
    """Let everything that starts in data/ start in another folder."""
    if isinstance(part, dict):
        for key in part:
            part[key] = move(part[key], root)
        return part
    if isinstance(part, list):
        return [move(p, root) for p in part]
    return f'{root}/{part}' if isinstance(part, str) and part.startswith('data/') else part


@pytest.fixture(scope='module')
def bert(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp('bert'))


def build_model(found, bert):
    torch.manual_seed(0)
    # the threshold would leave an untrained model without detections
    model = MODELS.build(nano_config(bert, test_cfg=dict(found.model.test_cfg, score_thr=0.)))
    # untrained, all words are nearly alike
    torch.nn.init.normal_(model.bbox_head.bbox_pred.weight, std=.05)
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize('folder, name', [(f, n) for f, ns in BENCHMARKS.items() for n in ns])
def test_benchmark_runs(folder, name, tmp_path, bert, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the file of COCO test-dev goes
    found = Config(move(config(name).to_dict(), str(tmp_path)))
    datasets = found.test_dataloader.dataset.get('datasets', [found.test_dataloader.dataset])
    next(step for step in found.test_dataloader.dataset.pipeline
         if step.type == 'glip_mm.ShortSideResize').scale = (H, W)
    for dataset in datasets:
        MAKE[folder](tmp_path / dataset.data_root, dataset)
        if folder == 'coco':
            dataset.metainfo = dict(classes=('person', 'cat', 'dog'))
    with DefaultScope.overwrite_default_scope('glip_mm'):
        evaluators = found.test_evaluator
        evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
        data = DATASETS.build(found.test_dataloader.dataset)
        model = build_model(found, bert)
        evaluator = Evaluator([METRICS.build(dict(m)) for m in evaluators])
        evaluator.dataset_meta = data.metainfo
        for index in range(len(data)):
            if index % 7:  # one image of each of a few sets is enough
                continue
            samples = model.test_step(pseudo_collate([data[index]]))
            assert len(samples[0].pred_instances)
            evaluator.process(samples, None)
    if folder == 'lvis':
        # three chunks of at most 40 classes with up to 300 detections each
        assert 300 < len(samples[0].pred_instances) <= 900
        assert samples[0].text[-1] == 'thing_82'
    metrics = evaluator.evaluate(len(data))
    assert WANTED.get(name, WANTED[folder]) <= set(metrics), sorted(metrics)
    # what is compared with published numbers is there under the same names
    for model_name in MODEL_NAMES:
        known = expected_metrics(model_name, found.benchmark)
        assert known is None or set(known.metrics) <= set(metrics)


@torch.no_grad()
@pytest.mark.parametrize('folder, name', [('lvis', 'lvis_minival'), ('flickr30k', 'flickr30k_val')])
def test_several_sizes_as_published(folder, name, tmp_path, bert):
    found = Config(move(config(name).to_dict(), str(tmp_path)))
    model_config = found.model
    augment_tests(found)
    dataset = found.test_dataloader.dataset
    views = dataset.pipeline[-1].transforms
    assert [step.scale for step in views[0]][::11] == [(400, 2500), (1800, 2500)]
    for step in views[0]:  # an eighth of the size
        step.scale = (step.scale[0] // 8, 2500)
    MAKE[folder](tmp_path / dataset.data_root, dataset)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        data = DATASETS.build(dataset)
        tta = MODELS.build(dict(found.tta_model, module=build_model(
            Config(dict(model=model_config)), bert)))
        tta.ranges = {side // 8: (low / 8, high / 8) for side, (low, high) in tta.ranges.items()}
        sample, = tta.test_step(pseudo_collate([data[0]]))
    assert 0 < len(sample.pred_instances) <= 1000
    x1, y1, x2, y2 = sample.pred_instances.bboxes.T
    assert x1.min() >= 0 and y1.min() >= 0 and x2.max() <= W and y2.max() <= H
    if folder == 'lvis':  # of several chunks
        assert len((sample.pred_instances.labels // 40).unique()) > 1
