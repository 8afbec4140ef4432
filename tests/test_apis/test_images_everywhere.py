"""An image has the same pixels on every way to the model and to people who look at boxes."""

import base64
import copy
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from glip_mm.apis import GLIPInferencer, ONNXInferencer, onnx_inferencer
from glip_mm.apis.images import ImagePipeline
from glip_mm.apis.inputs import list_images
from glip_mm.datasets import GroundingDataset, ZeroShotDataset
from glip_mm.deploy import Metadata
from glip_mm.evaluation.analysis.results import TestImage
from glip_mm.pseudo_labels import BoxSelection, CaptionPhrases, Teacher, find_shards
from glip_mm.pseudo_labels.label_rows import LabelRows
from glip_mm.pseudo_labels.review.samples import read_samples
from glip_mm.registry import TRANSFORMS
from glip_mm.visualization.dataset_sample import read_sample
from glip_mm.visualization.report.pictures import _read
from tests.test_pseudo_labels.test_sources import write_tar

IGNORED = 'color_ignore_orientation'
STORED = np.zeros((30, 40, 3), np.uint8)
STORED[:, :10] = 200
ROW = dict(height=40, width=30, filename='a.jpg', grounding=dict(caption='a dog', regions=[
    dict(phrase='a dog', tokens_positive=[[0, 5]], bbox=[[1, 2, 9, 8]], score=[.9])]))


def encoded(image, kind='PNG', **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def turned_photo():
    exif = Image.Exif()
    exif[0x112] = 6
    return encoded(STORED, 'JPEG', quality=95, exif=exif)


def texts():
    info = PngInfo()
    info.add_text('Comment', 'x' * (2 << 20), zip=True)
    return encoded(STORED, pnginfo=info)


UPRIGHT = np.rot90(STORED, -1)
#: Encoded image, setting of the loader, what is to be seen.
CASES = dict(
    turned=(turned_photo(), 'color', UPRIGHT), stored=(turned_photo(), IGNORED, STORED),
    deep=(b'P5 40 30 65535\n' + b'\x7f\xff' * 1200, 'color', np.full((30, 40, 3), 127)),
    floats=(encoded(np.full((30, 40), .5, np.float32), 'TIFF'), 'color', np.full((30, 40, 3), 127)),
    texts=(texts(), 'color', STORED))


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """The image as ``images/a.jpg``; Pillow and OpenCV don't care for suffixes."""
    content, color_type, wanted = CASES[request.param]
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images/a.jpg').write_bytes(content)
    (tmp_path / 'images/a.txt').write_text('a dog')
    return SimpleNamespace(content=content, wanted=wanted, folder=tmp_path / 'images',
                           path=str(tmp_path / 'images/a.jpg'),
                           loader=dict(type='LoadImageFromFile', imdecode_backend='pillow',
                                       color_type=color_type))


def same(pixels, case):
    assert pixels.shape == case.wanted.shape
    assert np.abs(pixels.astype(int) - case.wanted).max() <= 8  # JPEG


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
@pytest.mark.parametrize('kind', ['LoadImage', 'LoadImageFromFile'])
def test_loaders_of_configs(kind, backend, case):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        loader = TRANSFORMS.build(dict(case.loader, type=kind, imdecode_backend=backend))
    same(loader(dict(img_path=case.path))['img'], case)


@pytest.mark.parametrize('kind', ['LoadImage', 'LoadImageFromFile', 'mmdet.LoadImageFromFile'])
def test_inference(kind, case):
    steps = pipeline(case, kind)
    for given in (case.path, case.content, *list_images(case.folder)):
        same(steps.load(given, 0)['img'], case)


def test_exported_models(case, monkeypatch):
    stored = Metadata.from_strings(Metadata(
        ['cat'], ['cat'], decoder='pillow', color_type=case.loader['color_type']).to_strings())
    monkeypatch.setattr(onnx_inferencer, 'ONNXDetector',
                        lambda *args: SimpleNamespace(metadata=stored))
    same(ONNXInferencer('x.onnx').pipeline.load(case.path, 0)['img'], case)


def test_folders_shards_and_bundles_of_training(case, tmp_path):
    row = dict(ROW, filename='a.jpg')
    (tmp_path / 'a.jsonl').write_text(json.dumps(row) + '\n')
    write_tar(tmp_path / 'a.tar', [('a.json', json.dumps(row).encode()), ('a.jpg', case.content)])
    (tmp_path / 'img.tsv').write_text(f'k\t{base64.b64encode(case.content).decode()}\n')
    (tmp_path / 'label.tsv').write_text('k\t' + json.dumps(dict(
        caption='a dog', bboxes=[[1, 2, 8, 7]], tokens_positive=[[[0, 5]]])) + '\n')
    (tmp_path / 'a.yaml').write_text('img: img.tsv\nlabel: label.tsv\n')
    for name, form in (('a.jsonl', 'odvg'), ('a.tar', 'tar'), ('a.yaml', 'tsv')):
        with DefaultScope.overwrite_default_scope('glip_mm'):
            data = GroundingDataset(ann_file=name, data_root=str(tmp_path), format=form,
                                    data_prefix=dict(img='images'), pipeline=[case.loader])
        same(data[0]['img'], case)
        same(read_sample(data, 0, 'raw').image[..., ::-1], case)


def test_sets_of_fine_tuning_and_tests(case, tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name='a.jpg', width=40, height=30)],
        categories=[dict(id=1, name='cat')], annotations=[])))
    for test_mode in (False, True):
        with DefaultScope.overwrite_default_scope('glip_mm'):
            data = ZeroShotDataset(ann_file=str(tmp_path / 'a.json'), test_mode=test_mode,
                                   data_prefix=dict(img=str(case.folder)), pipeline=[case.loader])
        same(data[0]['img'], case)


def test_labelling(case, inferencer, tmp_path):
    write_tar(tmp_path / 'a.tar', [('a.jpg', case.content), ('a.txt', b'a dog')])
    teacher = Teacher(inferencer.model, pipeline(case), BoxSelection(),
                      CaptionPhrases(lambda caption: [('a dog', (0, 5))]))
    for source in (tmp_path / 'a.tar', case.folder):
        for sample in find_shards(source, tmp_path / f'run_{source.name}')[0]:
            ready = teacher.prepare(sample)
            assert ready.size == case.wanted.shape[:2]
            same(ready.data['inputs'].numpy().transpose(1, 2, 0), case)


def test_review_of_labels(case, tmp_path):
    height, width = case.wanted.shape[:2]
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels/0.jsonl').write_text(json.dumps(dict(ROW, height=height, width=width))
                                             + '\n')
    (tmp_path / 'settings.json').write_text(json.dumps(dict(pipeline=[case.loader])))
    (_, sample), = read_samples(LabelRows(tmp_path), [0], case.folder)
    same(sample.image[..., ::-1], case)


def test_reports(case):
    image = TestImage(1, case.path, case.wanted.shape[:2], None, 0)
    result = SimpleNamespace(images=[image], img_prefix='', color_type=case.loader['color_type'])
    same(_read(SimpleNamespace(result=result), 0)[..., ::-1], case)


def pipeline(case, kind='LoadImageFromFile'):
    steps = [dict(case.loader, type=kind),
             dict(type='mmdet.PackDetInputs', meta_keys=('ori_shape', ))]
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return ImagePipeline(Config(dict(test_dataloader=dict(dataset=dict(pipeline=steps)))))


@pytest.mark.parametrize('name', ['turned', 'stored'])
def test_boxes_lie_in_the_image_that_was_loaded(name, inferencer, config, tmp_path):
    content, color_type, wanted = CASES[name]
    cfg = copy.deepcopy(config)
    cfg.test_dataloader.dataset.pipeline[0].color_type = color_type
    (tmp_path / 'a.jpg').write_bytes(content)
    mine = GLIPInferencer(inferencer.model, cfg=cfg, show_progress=False)
    pixels = mine.pipeline.load(content, 0)['img']
    same(pixels, SimpleNamespace(wanted=wanted))
    expected = inferencer(pixels, ['cat', 'dog'])['predictions'][0]
    for given in (str(tmp_path / 'a.jpg'), content, tmp_path):
        found = mine(given, ['cat', 'dog'])['predictions'][0]
        assert found.size == wanted.shape[1::-1]
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
