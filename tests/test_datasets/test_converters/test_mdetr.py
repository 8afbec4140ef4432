"""MDETR files: spans exactly, phrases as they stand in the caption, two image roots."""

import pytest

from glip_mm.datasets.converters import mdetr_records, write_jsonl

from .conftest import CAPTION, dump, lines


def test_regions(mdetr):
    records = mdetr_records(mdetr, progress=False)
    first, second = records
    assert records.label_map is None
    assert first['grounding'] == dict(caption=CAPTION, regions=[
        dict(bbox=[[0, 0, 10, 10], [20, 0, 30, 10]], phrase='Two dogs', tokens_positive=[[0, 8]]),
        dict(bbox=[50, 50, 70, 70], phrase='a red ball', tokens_positive=[[13, 23]]),
        dict(bbox=[60, 60, 80, 80], phrase='red a', tokens_positive=[[15, 18], [13, 14]])])
    assert second['grounding']['regions'] == [
        dict(bbox=[190, 90, 200, 100], phrase='a cat', tokens_positive=[[0, 5]])]
    report = records.report
    assert report.dropped == {
        'crowd box': 1, 'span that is empty or ends past the caption': 1, 'box without a phrase': 2,
        'box one pixel thin or less': 1, 'sentence without a usable box': 1}
    assert (report.rows_read, report.rows_written) == (3, 2)
    assert (report.boxes_read, report.boxes_written) == (9, 5)


def test_two_image_roots(mdetr):
    roots = dict(coco='coco/train2014/', vg='gqa/images')
    assert [row['filename'] for row in mdetr_records(mdetr, roots=roots, progress=False)] == [
        'coco/train2014/1.jpg', 'gqa/images/2.jpg']
    records = mdetr_records(mdetr, only_source='coco', progress=False)
    assert [row['filename'] for row in records] == ['1.jpg']
    assert records.report.dropped['image of another data source'] == 2
    assert records.report.dropped['box of a row that is left out'] == 3


def test_equal_words_at_two_places_stay_two_phrases(tmp_path):
    path = dump(tmp_path / 'a.json', dict(
        images=[dict(id=1, file_name='a.jpg', height=50, width=50, caption='a dog and a dog')],
        annotations=[dict(image_id=1, bbox=[i, i, 9, 9], tokens_positive=[span])
                     for i, span in enumerate(([10, 15], [0, 5]))]))
    record, = mdetr_records(path, progress=False)
    assert [(r['phrase'], r['tokens_positive']) for r in record['grounding']['regions']] == [
        ('a dog', [[10, 15]]), ('a dog', [[0, 5]])]


@pytest.mark.parametrize('kind, written', [('refcoco', 1), ('phrasecut', 1), ('goldg', 0)])
def test_whole_sentence_where_no_span_is_given(tmp_path, kind, written):
    path = dump(tmp_path / 'a.json', dict(
        images=[dict(id=1, file_name='a.jpg', height=50, width=50, caption='left man')],
        annotations=[dict(image_id=1, bbox=[0, 0, 9, 9])]))
    rows = list(mdetr_records(path, kind, progress=False))
    assert len(rows) == written
    assert [r['grounding']['regions'][0]['tokens_positive'] for r in rows] == [[[0, 8]]] * written


def test_spans_under_their_other_name(tmp_path):
    path = dump(tmp_path / 'a.json', dict(
        images=[dict(id=1, file_name='a.jpg', height=50, width=50, caption='left man')],
        annotations=[dict(image_id=1, bbox=[0, 0, 9, 9], tokens=[[5, 8], 'x', [1, 2.5]])]))
    records = mdetr_records(path, progress=False)
    assert next(iter(records))['grounding']['regions'][0]['phrase'] == 'man'
    assert records.report.dropped['span that is not a pair of whole numbers'] == 2


def test_wrong_arguments(mdetr):
    with pytest.raises(ValueError, match="kind is 'flickr30k'"):
        mdetr_records(mdetr, 'flickr30k')
    with pytest.raises(ValueError, match="'gqa'"):
        mdetr_records(mdetr, roots=dict(gqa='x'))


def test_mmdet_reads_it(mdetr, tmp_path):
    from mmdet.datasets import ODVGDataset

    write_jsonl(mdetr_records(mdetr, progress=False), tmp_path / 'a.jsonl', progress=False)
    data = ODVGDataset(ann_file=str(tmp_path / 'a.jsonl'), data_prefix=dict(img=''),
                       return_classes=True, filter_cfg=None, pipeline=[], serialize_data=False)
    assert len(data) == 2
    for i, row in enumerate(lines(tmp_path / 'a.jsonl')):
        info = data.get_data_info(i)
        regions = row['grounding']['regions']
        assert info['text'] == row['grounding']['caption']
        assert [one['bbox_label'] for one in info['instances']] == ([0, 0, 1, 2] if i == 0 else [0])
        assert info['phrases'] == {k: dict(phrase=r['phrase'],
                                           tokens_positive=r['tokens_positive'])
                                   for k, r in enumerate(regions)}
