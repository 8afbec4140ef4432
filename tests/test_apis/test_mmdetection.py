"""MMDetection's own interfaces and tools with our configs, as docs/mmdetection.md has them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmdet
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.apis import GLIPInferencer
from glip_mm.apis.building import build_model
from glip_mm.run import main as run_script
from tests import forked
from tests.test_finetuning.conftest import write_split
from tests.test_models.nano import write_tiny_bert

ROOT = Path(__file__).parents[2]
RUN = ROOT / 'glip_mm/run.py'
TOOLS = Path(mmdet.__file__).parent / '.mim/tools'
CONFIG = '''
_base_ = 'glip_mm::glip/glip_swin-t_o365-goldg.py'

here = '{{ fileDirname }}'
model = dict(
    backbone=dict(_delete_=True, type='ResNet', depth=18, base_channels=4, out_indices=(1, 2, 3)),
    neck=dict(in_channels=[8, 16, 32], out_channels=32),
    language_model=dict(name=here + '/bert', pretrained=False),
    fusion_neck=dict(num_layers=1, embed_dim=32, num_heads=4, with_cp=False),
    test_cfg=dict(score_thr=0.0, nms_pre=50, max_per_img=20))

scale = (64, 96)
train_pipeline = [
    *_base_.load,
    dict(type='glip_mm.ShortSideResize', scale=scale),
    dict(type='glip_mm.BuildPrompt', tokenizer=here + '/bert'),
    *_base_.pack
]
test_pipeline = [dict(s, scale=scale) if 'scale' in s else s for s in _base_.test_pipeline]
data = dict(ann_file='_annotations.coco.json', data_prefix=dict(img=''))
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(datasets=[
        dict(type='glip_mm.GroundingDataset', format='coco', data_root=here + '/pets/train',
             pipeline=train_pipeline, **data)
    ]))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=here + '/pets/valid', metainfo=dict(classes=('cat', 'dog')),
                 pipeline=test_pipeline, **data))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=here + '/pets/valid/_annotations.coco.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1)
default_hooks = dict(logger=dict(interval=1))
'''


@pytest.fixture(autouse=True)
def scope():
    """MMDetection's interfaces set the default scope of the process."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.fixture(scope='module')
def user(tmp_path_factory):
    """A user's folder: data, a config that inherits from ours by name, weights."""
    folder = tmp_path_factory.mktemp('user')
    write_tiny_bert(folder / 'bert')
    for seed, (split, count) in enumerate(dict(train=4, valid=2).items()):
        write_split(folder / 'pets' / split, count, seed, split)
    (folder / 'my_config.py').write_text(CONFIG)
    torch.manual_seed(0)
    model = build_model(Config.fromfile(folder / 'my_config.py'))
    for parameter in model.bbox_head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'my.pth')
    return folder


@pytest.fixture(scope='module')
def files(user):
    return str(user / 'my_config.py'), str(user / 'my.pth')


@pytest.fixture(scope='module')
def picture(user):
    return str(user / 'pets/valid/valid_0.jpg')


@pytest.fixture(scope='module')
def wanted(files, picture):
    """What our own inferencer finds."""
    inferencer = GLIPInferencer(*files, device='cpu', show_progress=False, palette='random')
    found = inferencer(picture, ['cat', 'dog'], return_vis=True, pred_score_thr=0)
    return found['predictions'][0], found['visualization'][0]


@pytest.mark.filterwarnings('ignore:dataset_meta or class names', 'ignore:palette does not',
                            'ignore:Failed to add')
def test_inferencer(files, picture, wanted, tmp_path):
    inferencer = DetInferencer(*files, device='cpu', palette='random', show_progress=False)
    # as MMDetection's image demo does
    inferencer.model.test_cfg.chunked_size = -1
    found = inferencer(picture, texts='cat. dog', custom_entities=True, out_dir=str(tmp_path),
                       no_save_pred=False, pred_score_thr=0, return_vis=True)
    result, drawn = wanted
    prediction, = found['predictions']
    np.testing.assert_allclose(prediction['bboxes'], result.boxes, atol=1e-3)
    np.testing.assert_allclose(prediction['scores'], result.scores, atol=1e-6)
    assert prediction['labels'] == result.labels.tolist()
    # names, not numbers: the picture is that of our own inferencer
    assert np.array_equal(found['visualization'][0], drawn)
    assert (tmp_path / 'vis/valid_0.jpg').is_file() and (tmp_path / 'preds/valid_0.json').is_file()
    several = inferencer([picture, picture], texts=[('cat', 'dog'), ('dog', 'cat')], batch_size=2,
                         custom_entities=True)['predictions']
    np.testing.assert_allclose(several[0]['bboxes'], prediction['bboxes'], atol=1e-3)
    assert len(several) == 2 and set(several[1]['labels']) == {0, 1}
    caption = inferencer(picture, texts='a cat beside a dog',
                         tokens_positive=[[[0, 5]], [[13, 18]]])['predictions'][0]
    assert set(caption['labels']) <= {0, 1} and caption['labels']
    pixels = np.zeros((64, 96, 3), np.uint8)
    assert inferencer(pixels, texts='cat', custom_entities=True)['predictions'][0]['labels']


def test_functions(files, picture, wanted):
    model = init_detector(*files, device='cpu')
    found = inference_detector(model, picture, text_prompt='cat. dog', custom_entities=True)
    np.testing.assert_allclose(found.pred_instances.bboxes, wanted[0].boxes, atol=1e-3)
    assert found.pred_instances.label_names == list(wanted[0].names)
    pixels = np.zeros((64, 96, 3), np.uint8)
    two = inference_detector(model, [pixels, pixels], text_prompt='cat', custom_entities=True)
    assert len(two) == 2 and set(two[0].pred_instances.label_names) == {'cat'}


MANY = '''
_base_ = './my_config.py'
sets = [dict(_base_.test_dataloader.dataset, data_root=root, metainfo=dict(classes=(root, )))
        for root in ('nowhere', 'elsewhere')]
for each in sets:
    each.pop('pipeline')
test_dataloader = dict(dataset=dict(
    _delete_=True, type='glip_mm.ConcatDataset', datasets=sets, pipeline=_base_.test_pipeline))
test_evaluator = [_base_.test_evaluator, _base_.test_evaluator]
'''


@pytest.mark.filterwarnings('ignore')
def test_several_test_sets_that_are_not_there(files, user, picture):
    (user / 'many.py').write_text(MANY)
    inferencer = DetInferencer(str(user / 'many.py'), files[1], device='cpu', show_progress=False)
    assert inferencer(picture, texts='cat', custom_entities=True)['predictions'][0]['labels']
    model = init_detector(str(user / 'many.py'), files[1], device='cpu')
    assert inference_detector(model, picture, text_prompt='cat').pred_instances.label_names


def tool(*words, cwd, status=0):
    done = forked.run(RUN, *words, cwd=cwd, env=dict(
        os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'))
    assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize('scope', ['mmdet', 'glip_mm'])
def test_train_resume_and_test(user, scope):
    work, name = user / scope, f'default_scope={scope}'
    tool('mmdet::tools/train.py', 'my_config.py', '--work-dir', work, '--cfg-options', name,
         cwd=user)
    weights, = work.glob('iter_*.pth')
    assert torch.load(weights)['meta']['iter'] == 2
    amp = [] if scope == 'mmdet' else ['--amp']  # MMEngine's own needs an accelerator
    log = tool('mmdet::tools/train.py', 'my_config.py', '--work-dir', work, *amp, '--resume',
               '--auto-scale-lr', '--cfg-options', name, 'train_cfg.max_epochs=2', cwd=user)
    assert 'resumed epoch: 1' in log and 'Scaling the original LR by 0.03125' in log
    assert torch.load(work / 'iter_4.pth')['meta']['iter'] == 4
    log = tool('mmdet::tools/test.py', 'my_config.py', work / 'iter_4.pth', '--work-dir', work,
               '--out', 'found.pkl', '--show-dir', 'shown', '--cfg-options', name, cwd=user)
    assert 'coco/bbox_mAP' in log and (user / 'found.pkl').is_file()
    assert len(list(work.glob('*/shown/*.jpg'))) == 2
    # the checkpoint brings its config
    with DefaultScope.overwrite_default_scope('mmdet'):
        inferencer = DetInferencer(weights=str(work / 'iter_4.pth'), device='cpu',
                                   show_progress=False)
    found = inferencer(str(user / 'pets/valid/valid_0.jpg'), texts='cat', custom_entities=True)
    assert found['predictions'][0]['labels']


#: Makes MMCV importable by itself, as it is with compiled operators.
COMPILED = '''
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

module = sys.modules['mmcv._ext'] = ModuleType('mmcv._ext')
module.__spec__ = ModuleSpec('mmcv._ext', loader=None)


def operator(name):
    if 'glip_mm' in sys.modules:
        from glip_mm.ops import mmcv_ext
        return getattr(mmcv_ext, name, None)


module.__getattr__ = operator
'''


def test_mmdetections_scripts_alone_find_us_by_custom_imports(files, user, tmp_path):
    """Nothing imports the package but the config; inherited by its path, not by its name."""
    (tmp_path / 'sitecustomize.py').write_text(COMPILED)
    base = ROOT / 'configs/glip/glip_swin-t_o365-goldg.py'
    (user / 'by_path.py').write_text(CONFIG.replace(
        'glip_mm::glip/glip_swin-t_o365-goldg.py', str(base)))
    done = subprocess.run(
        [sys.executable, TOOLS / 'test.py', 'by_path.py', files[1], '--work-dir', tmp_path / 'w'],
        cwd=user, capture_output=True, text=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT)])))
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'coco/bbox_mAP' in done.stdout


ODVG = '''
_base_ = './my_config.py'
train_dataloader = dict(
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True),
    batch_sampler=dict(_delete_=True, type='AspectRatioBatchSampler'),
    dataset=dict(
        _delete_=True, type='ODVGDataset', data_root=_base_.here, ann_file='pets.jsonl',
        label_map_file='label_map.json', data_prefix=dict(img='pets/train'),
        return_classes=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='FixScaleResize', scale=(96, 64), keep_ratio=True),
            dict(type='RandomSamplingNegPos', tokenizer_name=_base_.here + '/bert',
                 num_sample_negative=12, full_sampling_prob=1.0),
            dict(type='PackDetInputs', meta_keys=(
                'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text',
                'custom_entities', 'tokens_positive', 'dataset_mode'))
        ]))
train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=1, val_interval=2)
'''


@pytest.mark.skipif(not hasattr(np, 'long'),
                    reason='MMDetection 3.3 asks NumPy for long, which 1.26 has not')
def test_mmdetections_odvg_data_train_our_model(user):
    """Negatives of its sampling are no names without tokens."""
    names = {'0': 'cat', '1': 'dog', **{str(i): f'thing {i}' for i in range(2, 12)}}
    (user / 'label_map.json').write_text(json.dumps(names))
    row = dict(filename='train_0.jpg', height=64, width=96, detection=dict(instances=[
        dict(bbox=[5, 5, 40, 40], label=1, category='dog')]))
    (user / 'pets.jsonl').write_text(''.join(json.dumps(row) + '\n' for _ in range(4)))
    (user / 'odvg.py').write_text(ODVG)
    log = tool('mmdet::tools/train.py', 'odvg.py', '--work-dir', user / 'odvg', cwd=user)
    assert 'loss_region_word' in log and 'own no token' not in log
    assert list((user / 'odvg').glob('*.pth'))


def test_a_script_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        run_script(['mmdet::tools/no_such.py'])
    said = capsys.readouterr().err
    assert "script 'mmdet::tools/no_such.py' is not a file: there is no '" in said
    with pytest.raises(SystemExit):
        run_script(['nothing::tools/train.py'])
    assert "script 'nothing::tools/train.py' is not a file\n" in capsys.readouterr().err


def test_a_script_gets_its_arguments(tmp_path, capsys, monkeypatch):
    (tmp_path / 'helper.py').write_text('word = "beside"')
    (tmp_path / 'script.py').write_text(
        'import sys, helper\nif __name__ == "__main__":\n    print(helper.word, sys.argv[1:])')
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(sys, 'argv', ['pytest'])
    run_script([str(tmp_path / 'script.py'), '--amp', 'x'])
    assert capsys.readouterr().out == "beside ['--amp', 'x']\n"
