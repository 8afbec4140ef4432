"""tools/test.py (a Runner) and the inferencer find the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.fileio import load
from mmengine.runner import Runner

from glip_mm.apis import GLIPInferencer
from glip_mm.visualization import save_image

from .conftest import make_config

NAMES = ('red circle', 'blue_star', 'box (small)')


@pytest.fixture
def coco(tmp_path) -> Path:
    """Three pictures of different sizes with annotations."""
    images, annotations = [], []
    for index, (width, height) in enumerate([(128, 96), (96, 128), (200, 80)]):
        generator = np.random.default_rng(index)
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        save_image(tmp_path / 'images' / f'{index}.jpg', pixels)
        images.append(dict(id=index, file_name=f'{index}.jpg', width=width, height=height))
        annotations.append(dict(id=index, image_id=index, category_id=index + 1, iscrowd=0,
                                bbox=[8, 8, 40, 30], area=1200))
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(NAMES)]
    content = dict(images=images, annotations=annotations, categories=categories)
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize('scope', ['glip_mm', 'mmdet'])
def test_runner_and_inferencer_agree(scope, coco, tiny_bert, checkpoint):
    cfg = make_config(tiny_bert, scope)
    cfg.merge_from_dict({
        'work_dir': str(coco / 'work'),
        'experiment_name': f'same_path_{scope}',
        'load_from': checkpoint,
        'test_cfg': dict(type='TestLoop'),
        'test_evaluator': dict(type='DumpResults', out_file_path=str(coco / 'found.pkl')),
        'test_dataloader.dataset.ann_file': str(coco / 'coco.json'),
        'test_dataloader.dataset.data_prefix': dict(img=str(coco / 'images')),
        'test_dataloader.dataset.metainfo': dict(classes=NAMES),
        'visualizer': dict(type='glip_mm.GroundingVisualizer', name=f'same_path_{scope}'),
        'default_hooks': dict(visualization=dict(
            type='mmdet.DetVisualizationHook', draw=True, score_thr=0.0, test_out_dir='seen')),
    })
    Runner.from_cfg(cfg.copy()).test()
    tested = load(coco / 'found.pkl')
    pictures = sorted(path.name for path in (coco / 'work').rglob('seen/*'))
    assert pictures == ['0.jpg', '1.jpg', '2.jpg']

    inferencer = GLIPInferencer(cfg, checkpoint, device='cpu', show_progress=False)
    images = [str(coco / 'images' / f'{i}.jpg') for i in range(3)]
    found = inferencer(images, NAMES, batch_size=2)['predictions']
    assert len(found) == len(tested) == 3
    for result, sample in zip(found, tested):
        expected = sample['pred_instances']
        assert len(result) == len(expected['labels']) > 0
        np.testing.assert_array_equal(result.boxes, expected['bboxes'].numpy())
        np.testing.assert_array_equal(result.scores, expected['scores'].numpy())
        np.testing.assert_array_equal(result.labels, expected['labels'].numpy())
        assert result.names == expected['label_names']
