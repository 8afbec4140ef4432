"""Flickr30k Entities and MDETR files as evaluation sets."""

import json

import pytest

from glip_mm.datasets import Flickr30kEntitiesDataset, MDETRPhraseDataset
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.flickr30k_entities import parse_sentence, read_boxes
from glip_mm.text import Prompt

SENTENCES = """\
[/EN#1/people Two boys] in [/EN#2/clothing blue shirts] near [/EN#3/scene a lake] .
[/EN#0/notvisual It] rains .
[/EN#1/people/other The  boys] see [/EN#1/people them] .
"""
XML = """<annotation><filename>12.jpg</filename>
<size><width>50</width><height>40</height><depth>3</depth></size>
<object><name>1</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax><ymax>12</ymax></bndbox>
</object><object><name>1</name><name>2</name>
<bndbox><xmin>21</xmin><ymin>2</ymin><xmax>31</xmax><ymax>12</ymax></bndbox></object>
<object><name>3</name><scene>1</scene><nobndbox>1</nobndbox></object></annotation>"""


@pytest.fixture()
def release(tmp_path):
    for name in ('Sentences', 'Annotations'):
        (tmp_path / name).mkdir()
    (tmp_path / 'test.txt').write_text('12\n')
    (tmp_path / 'Sentences' / '12.txt').write_text(SENTENCES)
    (tmp_path / 'Annotations' / '12.xml').write_text(XML)
    return tmp_path


def test_spans_are_those_of_the_sentence_without_marks():
    caption, phrases = parse_sentence(SENTENCES.splitlines()[2])
    assert caption == 'The boys see them .'
    assert [caption[b:e] for b, e in (p.span for p in phrases)] == ['The boys', 'them']
    assert phrases[0].types == ('people', 'other') and phrases[0].thing == phrases[1].thing == '1'
    assert parse_sentence('no mark at all') == ('no mark at all', [])


def test_boxes_count_from_zero(release):
    known = read_boxes(release / 'Annotations' / '12.xml')
    assert known.boxes == {'1': [[0, 1, 10, 11], [20, 1, 30, 11]], '2': [[20, 1, 30, 11]]}
    assert (known.width, known.height) == (50, 40)


def test_entities_samples(release):
    dataset = Flickr30kEntitiesDataset(
        ann_file=str(release / 'test.txt'), data_prefix=dict(img='/images'), dataset_name='f',
        test_mode=True)
    assert len(dataset) == 2  # the second sentence names nothing that has a box
    info = dataset.get_data_info(0)
    assert info['img_path'] == '/images/12.jpg' and info['img_id'] == 12
    assert info['phrases'] == ['Two boys', 'blue shirts']  # a scene has no box
    assert info['phrase_types'] == [['people'], ['clothing']]
    assert [(i['bbox_label'], i['bbox'][0]) for i in info['instances']] == [
        (0, 0), (0, 20), (1, 20)]
    prompt = Prompt.from_data_sample(info)
    assert prompt.names == info['phrases'] and prompt.caption.endswith('a lake .')
    # a thing named twice is two phrases, and sentences keep their numbers
    info = dataset.get_data_info(1)
    assert info['sentence_id'] == 2
    assert [i['bbox_label'] for i in info['instances']] == [0, 0, 1, 1]


def test_what_is_missing_is_said(release):
    (release / 'Sentences' / '12.txt').unlink()
    with pytest.raises(FileNotFoundError, match='Flickr30k Entities'):
        Flickr30kEntitiesDataset(ann_file=str(release / 'test.txt'), test_mode=True)
    (release / 'Annotations' / '12.xml').write_text('<annotation>')
    with pytest.raises(ValueError, match='annotations.zip'):
        Flickr30kEntitiesDataset(ann_file=str(release / 'test.txt'), test_mode=True)


def mdetr(folder, spans=None, **image):
    content = dict(
        images=[dict(id=5, file_name='12.jpg', width=50, height=40, caption='boys in blue shirts',
                     **image)],
        annotations=[
            dict(id=1, image_id=5, bbox=[20, 1, 10, 10], tokens_positive=spans or [[8, 19]]),
            dict(id=2, image_id=5, bbox=[0, 1, 10, 10], tokens_positive=[[0, 4]])],
        categories=[dict(id=1, name='object')])
    path = folder / 'm.json'
    path.write_text(json.dumps(content))
    return str(path)


def test_mdetr_boxes_go_to_the_phrase_of_the_same_characters(tmp_path):
    phrases = dict(tokens_positive_eval=[[[0, 4]], [[8, 19]]], original_img_id=12, sentence_id=3)
    info = MDETRPhraseDataset(ann_file=mdetr(tmp_path, **phrases), test_mode=True).get_data_info(0)
    assert [(i['bbox_label'], i['bbox']) for i in info['instances']] == [
        (0, [0, 1, 10, 11]), (1, [20, 1, 30, 11])]
    assert info['phrases'] == ['boys', 'blue shirts'] and info['phrase_types'] is None
    assert (info['img_id'], info['sentence_id']) == (12, 3)
    with pytest.raises(ValueError, match='none of the phrases'):
        MDETRPhraseDataset(ann_file=mdetr(tmp_path, [[5, 7]], **phrases), test_mode=True)


def test_an_expression_is_one_phrase(tmp_path):
    info = MDETRPhraseDataset(ann_file=mdetr(tmp_path), target='expression', test_mode=True
                              ).get_data_info(0)
    prompt = Prompt.from_data_sample(info)
    assert prompt.names == ['boys in blue shirts'] and len(prompt.entities[0].spans) == 4
    assert {i['bbox_label'] for i in info['instances']} == {0}
    with pytest.raises(ValueError, match='tokens_positive_eval'):
        MDETRPhraseDataset(ann_file=mdetr(tmp_path), test_mode=True)
    with pytest.raises(ValueError, match="got 'words'"):
        MDETRPhraseDataset(ann_file=mdetr(tmp_path), target='words', test_mode=True)


@pytest.mark.parametrize('where, change, message', [
    ('images', dict(file_name=None), '(?s)can be used.*image without a file name'),
    ('images', dict(width=None, height='x'), '(?s)can be used.*positive whole width and height'),
    ('images', dict(caption=3), 'image 5 has no caption'),
    ('images', dict(id=[1]), '(?s)can be used.*no JSON object or has no id'),
    ('annotations', dict(tokens_positive=[[8, None]]), 'image 5 or one of its annotations: '),
    ('images', dict(tokens_positive_eval=[[[0, 4]], [[8, 900]]]), 'is not inside the caption'),
    ('images', dict(tokens_positive_eval=7), 'image 5 or one of its annotations: '),
])
def test_malformed_fields_are_named(tmp_path, where, change, message):
    path = mdetr(tmp_path, tokens_positive_eval=[[[0, 4]], [[8, 19]]])
    content = json.loads(open(path).read())
    content[where][0].update(change)
    if 'tokens_positive_eval' in change and message.startswith('is not'):
        content['annotations'][0]['tokens_positive'] = [[8, 900]]
    open(path, 'w').write(json.dumps(content))
    with pytest.raises(DataError, match=message) as error:
        MDETRPhraseDataset(ann_file=path, test_mode=True)
    assert str(error.value).startswith(f"'{path}'")


def test_lists_of_other_programs(release):
    (release / 'test.txt').write_bytes(b'\xef\xbb\xbf12\r\n')
    assert len(Flickr30kEntitiesDataset(ann_file=str(release / 'test.txt'), test_mode=True)) == 2
    (release / 'test.txt').write_bytes('12'.encode('utf-16'))
    assert len(Flickr30kEntitiesDataset(ann_file=str(release / 'test.txt'), test_mode=True)) == 2
    (release / 'test.txt').write_text('12.jpg')
    with pytest.raises(DataError, match="'12.jpg' is no image number"):
        Flickr30kEntitiesDataset(ann_file=str(release / 'test.txt'), test_mode=True)
