"""The LVIS benchmark scores the same detections by every way."""

from argparse import Namespace

import pytest

from dev.speed import lvis_ap as tool


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('lvis')
    tool.generate(Namespace(images=25, categories=12, boxes=8, detections=1500, seed=1), path)
    return path


@pytest.mark.parametrize('cap', [10_000, 40])
def test_the_lvis_package_agrees(folder, monkeypatch, cap):
    pytest.importorskip('lvis')
    monkeypatch.setattr(tool, 'CAP', cap)
    ours, theirs = tool.score_glip_mm(folder), tool.score_lvis(folder)
    assert ours['metrics'] == pytest.approx(theirs['metrics'], abs=1e-12)
    assert 0 < ours['metrics']['AP'] < 1


def test_faster_coco_eval_agrees(folder):
    pytest.importorskip('faster_coco_eval')
    ours, theirs = tool.score_glip_mm(folder), tool.score_faster_coco_eval(folder)
    assert ours['metrics'] == pytest.approx(theirs['metrics'], abs=1e-12)
