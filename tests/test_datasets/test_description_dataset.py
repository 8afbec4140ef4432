"""D3: each image is asked for the descriptions of its scenario; pickles are plain values."""

import json
import os
import pickle

import pytest

from glip_mm.datasets import DescriptionDataset
from glip_mm.datasets.data_error import DataError

IMAGES = {7: dict(group_id=1), 9: dict(group_id=2)}
GROUPS = {1: dict(inner_sent_id=[12, 3]), 2: dict(inner_sent_id=[5])}


@pytest.fixture
def build(tmp_path):
    def build(images=IMAGES, groups=GROUPS, **kwargs):
        (tmp_path / 'd3_pkl').mkdir(exist_ok=True)
        for name, table in (('images', images), ('groups', groups)):
            (tmp_path / f'd3_pkl/{name}.pkl').write_bytes(
                table if isinstance(table, bytes) else pickle.dumps(table))
        (tmp_path / 'full.json').write_text(json.dumps(dict(
            images=[dict(id=i, width=20, height=10, file_name=f'{i}.jpg') for i in (9, 7)],
            categories=[dict(id=3, name='a red hat'), dict(id=5, name='dog'),
                        dict(id=12, name='man without a hat')],
            annotations=[dict(id=1, image_id=7, category_id=12, bbox=[1, 2, 3, 4]),
                         dict(id=2, image_id=7, category_id=5, bbox=[0, 0, 9, 9])])))
        return DescriptionDataset(data_root=str(tmp_path), ann_file='full.json', test_mode=True,
                                  pipeline=[], **kwargs)
    return build


def test_an_image_is_asked_for_its_own_scenario(build):
    first, second = build()
    assert (first['img_id'], first['text'], first['category_ids']) == (
        7, ['a red hat', 'man without a hat'], [3, 12])
    # the dog is of another scenario
    assert [(i['bbox'], i['bbox_label']) for i in first['instances']] == [([1, 2, 4, 6], 1)]
    assert second['text'] == ['dog'] and second['instances'] == [] and second['custom_entities']


def test_or_for_all_descriptions(build):
    samples = build(scenarios=None)
    assert [s['category_ids'] for s in samples] == [[3, 5, 12]] * 2
    assert [i['bbox_label'] for i in samples[0]['instances']] == [1, 2]


class Code:
    def __reduce__(self):
        return os.mkdir, ('ran', )


@pytest.mark.parametrize('images, groups, message', [
    (pickle.dumps(Code()), GROUPS, "is no pickle file of plain values: it names .*mkdir"),
    (b'no pickle', GROUPS, "images.pkl' is no pickle"),
    ([1], GROUPS, 'holds a list, not a dict'),
    ({7: dict(group_id=1)}, GROUPS, 'image 9 has the descriptions None'),
    (IMAGES, {1: GROUPS[1], 2: dict(inner_sent_id=[4])}, r'image 9 has the descriptions \[4\]'),
    (IMAGES, {1: {}}, "groups.pkl its 'inner_sent_id'")])
def test_what_cannot_be_used(build, images, groups, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        build(images, groups)
    assert not (tmp_path / 'ran').exists()
