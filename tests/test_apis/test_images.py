"""Images through the test pipeline of a config."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.apis import ImageError
from glip_mm.apis.images import ImagePipeline, list_images
from glip_mm.apis.outputs import OutputNames
from glip_mm.text import Prompt
from glip_mm.visualization import save_image

STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='glip_mm.BuildPrompt', num_negatives=1),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_path', 'prompt')),
]


def pipeline(dataset: dict) -> ImagePipeline:
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return ImagePipeline(Config(dict(test_dataloader=dict(dataset=dataset))))


@pytest.fixture
def picture(tmp_path) -> Path:
    generator = np.random.default_rng(0)
    return save_image(tmp_path / 'a.jpg', generator.integers(0, 256, (64, 80, 3), dtype=np.uint8))


@pytest.mark.parametrize('dataset', [
    dict(pipeline=STEPS),
    dict(type='ConcatDataset', datasets=[dict(pipeline=STEPS), dict(pipeline=STEPS[::-1])]),
    dict(type='RepeatDataset', times=1, dataset=dict(pipeline=STEPS)),
])
def test_the_prompt_is_the_users(dataset, picture):
    # BuildPrompt would draw other classes and another order, and it needs annotations
    prompt = Prompt.from_names(['cat', 'dog', 'cow'])
    steps = pipeline(dataset)
    packed = steps.pack(steps.load(str(picture), 0), prompt)
    assert packed['data_samples'].prompt is prompt
    assert tuple(packed['inputs'].shape) == (3, 64, 80)


def test_cut_files_are_refused_whatever_the_decoder(picture, tmp_path):
    # OpenCV decodes what is there and leaves the rest grey
    cut = tmp_path / 'cut.jpg'
    cut.write_bytes(picture.read_bytes()[:3000])
    with pytest.raises(ImageError, match='cut.jpg.*truncated'):
        pipeline(dict(pipeline=STEPS)).load(str(cut), 0)


def test_a_pipeline_must_load(picture):
    with pytest.raises(ValueError, match='LoadImage'):
        pipeline(dict(pipeline=STEPS[1:]))


def test_folders_are_sorted_and_flat(picture, tmp_path):
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'deeper').mkdir()
    save_image(tmp_path / 'deeper' / 'c.png', np.zeros((4, 4, 3), np.uint8))
    other = save_image(tmp_path / 'B.PNG', np.zeros((4, 4, 3), np.uint8))
    assert list_images(tmp_path) == [str(other), str(picture)]
    assert list_images([picture, tmp_path]) == [str(picture), str(other), str(picture)]
    assert list_images('https://example.org/a.jpg') == ['https://example.org/a.jpg']
    with pytest.raises(ValueError, match='empty list'):
        list_images([])


def test_every_output_has_its_name():
    names = OutputNames()
    paths = ['x/a.jpg', 'y/a.jpg', 'a.png', 'https://e.org/b%20c.webp?q=1', None, 'd.tiff',
             'https://e.org']
    assert [names(path, index) for index, path in enumerate(paths)] == [
        'a.jpg', 'a_1.jpg', 'a_2.png', 'b c.webp', '00000004.jpg', 'd.png', 'image.png']
