"""Metadata of an exported file are checked: the file may come from anywhere."""

import json

import pytest

from glip_mm.deploy.metadata import KEY, Metadata

GOOD = Metadata(['cat'], ['cat. '], size=(64, 96), suppression=dict(iou_threshold=0.5),
                resize=[dict(type='ShortSideResize', scale=(32, 64))])


def changed(**values):
    return {KEY: json.dumps({**json.loads(GOOD.to_strings()[KEY]), **values})}


def test_what_was_written_is_read():
    found = Metadata.from_strings(GOOD.to_strings())
    assert found.size == (64, 96) and found.names == ['cat']
    assert found.resize == [dict(type='ShortSideResize', scale=[32, 64])]


@pytest.mark.parametrize('values', [
    dict(resize=[dict(type='os.system', command='touch ran')]), dict(resize='x'),
    dict(resize=[dict(type='LoadImageFromFile')]), dict(resize=[dict(type='mmdet.os')]),
    dict(resize=[dict(type='Resize', scale=[dict(type='builtins.exec')])]),
    dict(names='cat'), dict(names=None), dict(names=[1]), dict(captions={}), dict(size=[1]),
    dict(size='ab'), dict(size=[-1, 2]), dict(mean=[1, 2]), dict(std=None), dict(nms='no'),
    dict(suppression=[]), dict(suppression=dict(x=1)), dict(suppression=dict(iou_threshold='x')),
    dict(model_name=None), dict(decoder=7), dict(smallest=None)])
def test_strange_values_are_refused(values):
    with pytest.raises(ValueError, match=f"{KEY}.{next(iter(values))}.*"):
        Metadata.from_strings(changed(**values))


@pytest.mark.parametrize('text', ['', '[]', '7', '{', '[' * 100_000, '{}'])
def test_no_metadata(text):
    with pytest.raises(ValueError, match="metadata"):
        Metadata.from_strings({KEY: text})
