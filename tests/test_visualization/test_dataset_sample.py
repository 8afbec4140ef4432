"""Samples of any dataset become pictures and pages."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.registry import DATASETS
from glip_mm.visualization import PALETTE, HtmlPage, read_sample
from glip_mm.visualization.html_page import caption_html

LOAD = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
PACK = dict(type='PackDetInputs', meta_keys=('img_path', 'scale_factor', 'text', 'prompt'))
NAMES = {'0': 'dog', '1': 'cat', '2': 'bow_(tie)'}


@pytest.fixture
def data(tmp_path):
    """One image: red, with a blue square at [8, 4, 40, 36]."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0] = 200
    pixels[4:36, 8:40] = (0, 0, 200)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    (tmp_path / 'labels.json').write_text(json.dumps(NAMES))
    box = [8, 4, 40, 36]
    rows = dict(
        det=[dict(detection=dict(instances=[dict(bbox=box, label=1, category='cat')])),
             dict(detection=dict(instances=[]))],
        vg=[dict(grounding=dict(caption='a <b>cat</b> & a mat', regions=[
            dict(bbox=box, phrase='cat', tokens_positive=[[5, 8]])]))])
    for name, content in rows.items():
        (tmp_path / f'{name}.jsonl').write_text('\n'.join(
            json.dumps(dict(row, filename='a.png', height=48, width=64)) for row in content))
    return tmp_path


def build(data, name, pipeline=(), **more):
    label_map = dict(label_map_file='labels.json') if name == 'det' else {}
    config = dict(type='ODVGDataset', data_root=str(data), ann_file=f'{name}.jsonl',
                  data_prefix=dict(img=''), return_classes=True,
                  filter_cfg=dict(filter_empty_gt=False), pipeline=list(pipeline),
                  **label_map, **more)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return DATASETS.build(config)


BUILD = dict(type='BuildPrompt', num_negatives=3, full_prob=1.)


def test_pipeline_stage_shows_what_the_model_gets(data):
    flip = dict(type='RandomFlip', prob=1.)
    sample = read_sample(build(data, 'det', [*LOAD, flip, BUILD, PACK]), 0)
    np.testing.assert_array_equal(sample.boxes, [[24, 4, 56, 36]])
    # red stays red although loaders give BGR
    assert sample.image[0, 0].tolist() == [200, 0, 0]
    assert sample.image[20, 40].tolist() == [0, 0, 200]
    assert sample.names == ['cat'] and sorted(sample.prompt.names) == sorted(NAMES.values())


def test_raw_stage_shows_the_annotation(data):
    flip = dict(type='RandomFlip', prob=1.)
    dataset = build(data, 'det', [*LOAD, flip, BUILD, PACK])
    sample = read_sample(dataset, 0, 'raw')
    np.testing.assert_array_equal(sample.boxes, [[8, 4, 40, 36]])
    assert sample.names == ['cat'] and sample.prompt.names == list(NAMES.values())
    assert sample.image[20, 20].tolist() == [0, 0, 200]
    caption = read_sample(build(data, 'vg'), 0, 'raw')
    assert caption.prompt.names == ['cat'] and caption.names == ['cat']
    with pytest.raises(ValueError, match="'raw'"):
        read_sample(dataset, 0, 'cooked')


@pytest.mark.parametrize('order', ['resize first', 'boxes first'])
def test_boxes_lie_on_the_resized_image(data, order):
    resize = dict(type='Resize', scale=(128, 96), keep_ratio=True)
    steps = [LOAD[0], resize, LOAD[1]] if order == 'resize first' else [*LOAD, resize]
    sample = read_sample(build(data, 'det', [*steps, PACK], test_mode=True), 0)
    assert sample.image.shape == (96, 128, 3)
    np.testing.assert_allclose(sample.boxes, [[16, 8, 80, 72]])


def test_wrapped_datasets_and_images_without_boxes(data):
    one = dict(type='ODVGDataset', data_root=str(data), ann_file='det.jsonl',
               label_map_file='labels.json', data_prefix=dict(img=''), return_classes=True,
               filter_cfg=dict(filter_empty_gt=False), pipeline=[*LOAD, BUILD, PACK])
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(dict(type='ConcatDataset', datasets=[
            one, dict(type='RepeatDataset', times=2, dataset=one)]))
    assert len(dataset) == 6
    for stage in ('raw', 'pipeline'):
        counts = [len(read_sample(dataset, i, stage).boxes) for i in range(6)]
        assert counts == [1, 0] * 3
    empty = read_sample(dataset, 5)
    assert empty.draw().shape[0] > 48 and 'mark' not in caption_html(empty)


def test_a_sample_the_pipeline_drops_is_not_replaced_by_another(data):
    drop = dict(type='FilterAnnotations', min_gt_bbox_wh=(100, 100), keep_empty=True)
    dataset = build(data, 'det', [*LOAD, drop, PACK])
    with pytest.raises(LookupError, match='sample 0'):
        read_sample(dataset, 0)


def test_a_dataset_that_only_gives_items(data):
    members = [build(data, 'det', [*LOAD, BUILD, PACK])]

    class Stream:
        datasets = members

        def __getitem__(self, draw):
            return self.datasets[0][draw % 2]

    assert read_sample(Stream(), 4).names == ['cat']
    with pytest.raises(ValueError, match=r'Stream has no get_data_info\(\)'):
        read_sample(Stream(), 4, 'raw')


def test_labels_without_a_name(data):
    (data / 'labels.json').write_text(json.dumps({'0': 'dog'}))
    with pytest.raises(ValueError, match=r'labels \[1\].*label_map_file'):
        read_sample(build(data, 'det'), 0, 'raw')


def test_ignored_boxes_are_grey_and_nameless(data):
    dataset = build(data, 'det')
    info = dataset.get_data_info(0)
    info['instances'][0]['ignore_flag'] = 1
    dataset.get_data_info = lambda index: info
    sample = read_sample(dataset, 0, 'raw')
    assert not len(sample.boxes) and len(sample.ignored) == 1
    drawn = sample.draw(caption=False)
    # enlarged 5 times
    assert not (drawn == PALETTE[1]).all(axis=-1).any()
    assert (drawn[4 * 5, 60:150] == drawn[4 * 5, 60]).all()
    assert drawn[4 * 5, 60].tolist() not in ([200, 0, 0], [0, 0, 200])


class Checker(HTMLParser):
    """Counts tags and collects text; complains about what only a text that became markup gives.

    That is: tags not closed in order, attributes twice or of strange names, code, other documents.
    """

    def __init__(self):
        super().__init__()
        self.open, self.count, self.text, self.sources = [], {}, '', []

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), attrs
        assert all(re.fullmatch('(?!on)[a-z][a-z0-9:-]*', name) for name in (tag, *names)), attrs
        assert tag not in ('script', 'iframe', 'object', 'embed', 'base', 'form'), tag
        assert not any((value or '').strip().startswith('javascript:') for _, value in attrs)
        self.sources += [value for name, value in attrs if name in ('src', 'href')]
        if tag not in ('img', 'meta', 'br', 'link', 'wbr'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_pi(self, data):
        raise AssertionError(data)

    unknown_decl = handle_pi


@pytest.mark.parametrize('text', [
    '<p title="a" onclick="x">b</p>', '<p title="it"s">b</p>', '<a href=" javascript:x">b</a>',
    '<b><i></b></i>', '<script>x</script>', '<p a a>b</p>', '<?a?>'])
def test_the_checker_finds_markup_of_names(text):
    with pytest.raises(AssertionError):
        Checker().feed(text)


def test_page_is_complete_and_needs_nothing_else(data, tmp_path):
    path = tmp_path / 'out' / 'page.html'
    with HtmlPage(path, 'the <title>', '2 samples') as page:
        page.add(read_sample(build(data, 'vg'), 0, 'raw'), 'sample 0')
        page.add(read_sample(build(data, 'det'), 0, 'raw'), 'sample 1')
        page.add_error('sample 2', 'ValueError: <broken>')
        assert not path.exists()
    checker = Checker()
    checker.feed(path.read_text())
    assert not checker.open and 'script' not in checker.count
    assert checker.count['figure'] == 3 and checker.count['img'] == 2
    assert all(source.startswith('data:image/') for source in checker.sources)
    # the caption is text, not markup
    assert 'a <b>cat</b> & a mat' in checker.text and '<broken>' in checker.text
    assert list(path.parent.iterdir()) == [path]


def test_a_page_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), HtmlPage(tmp_path / 'page.html', 'title'):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_words_of_an_entity_share_its_colour_and_long_vocabularies_fold(data):
    detection = read_sample(build(data, 'det'), 0, 'raw')
    color = 'rgb' + str(PALETTE[1]).replace(' ', '')
    text = caption_html(detection)
    assert f'<mark style="background:{color}' in text and '>cat</mark>' in text
    assert '<span class="none">dog</span>' in text and 'details' not in text
    (data / 'labels.json').write_text(json.dumps({str(i): f'thing {i}' for i in range(90)}))
    text = caption_html(read_sample(build(data, 'det'), 0, 'raw'))
    assert '89 names without a box' in text and text.index('thing 1</mark>') < text.index('details')
