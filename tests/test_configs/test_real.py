"""The configs of real images read COCO files, images without an object included."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.registry import DATASETS

ROOT = Path(__file__).parents[2] / 'configs' / 'real'
NAMES = dict(raccoon=['raccoon'], bccd=['Platelets', 'RBC', 'WBC'])


@pytest.fixture(params=list(NAMES))
def config(request, tmp_path, monkeypatch):
    """A config whose data are two images, the second without a box."""
    (tmp_path / 'images').mkdir()
    for i in range(2):
        Image.fromarray(np.full((300, 400, 3), 90, np.uint8)).save(tmp_path / f'images/{i}.jpg')
    categories = [dict(id=i, name=name) for i, name in enumerate(NAMES[request.param], 1)]
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', height=300, width=400) for i in range(2)],
        annotations=[dict(id=1, image_id=0, category_id=len(categories), iscrowd=0, area=4000,
                          bbox=[40, 40, 80, 50])], categories=categories)
    for split in ('train', 'val', 'test'):
        (tmp_path / f'{split}.json').write_text(json.dumps(content))
    monkeypatch.setenv(f'{request.param.upper()}_ROOT', str(tmp_path))
    config = Config.fromfile(ROOT / f'glip_nano_{request.param}.py')
    config.names = NAMES[request.param]
    return config


def test_all_images_train_and_one_prompt_names_all_classes(config):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    assert len(dataset) == 2
    full, empty = (dataset.datasets[0][i]['data_samples'] for i in range(2))
    names = config.names
    assert full.prompt.names[int(full.gt_instances.labels[0])] == names[-1]
    assert len(empty.gt_instances) == 0 and set(empty.prompt.names) <= set(names)
    assert empty.prompt.names


@pytest.mark.parametrize('split', ['val', 'test'])
def test_evaluation_reads_the_image_at_one_size_and_its_own_file(config, split):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(config[f'{split}_dataloader'].dataset)
    sample = dataset[0]['data_samples']
    assert max(sample.img_shape) == max(config.scale)
    assert tuple(sample.text) == tuple(config.names)
    assert Path(config[f'{split}_evaluator'].ann_file).samefile(dataset.ann_file)
    assert dataset.ann_file.endswith(f'{split}.json')
