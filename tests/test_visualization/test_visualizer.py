"""GroundingVisualizer in the place of MMDetection's."""

import mmcv
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope, build_from_cfg
from mmengine.structures import InstanceData

from glip_mm.registry import VISUALIZERS
from glip_mm.visualization import PALETTE

IMAGE = np.full((120, 330, 3), 90, np.uint8)


@pytest.fixture
def visualizer(tmp_path):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return build_from_cfg(
            dict(type='GroundingVisualizer', name=f'of_{tmp_path.name}', save_dir=str(tmp_path),
                 vis_backends=[dict(type='LocalVisBackend')]), VISUALIZERS)


def make_sample(**meta) -> DetDataSample:
    sample = DetDataSample(metainfo=meta)
    sample.gt_instances = InstanceData(bboxes=torch.tensor([[5., 30., 60., 90.]]),
                                       labels=torch.tensor([0]))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[5., 30., 60., 90.], [100., 30., 150., 90.]]),
        scores=torch.tensor([0.9, 0.2]), labels=torch.tensor([1, 0]))
    return sample


def colors_in(image) -> set:
    return {tuple(int(c) for c in color) for color in np.unique(image.reshape(-1, 3), axis=0)}


def test_truth_and_prediction_stand_side_by_side(visualizer, tmp_path):
    file = tmp_path / 'seen' / 'a.png'
    visualizer.add_datasample('a', IMAGE, make_sample(text=('cat', 'dog')), out_file=str(file))
    drawn = mmcv.imread(str(file))[..., ::-1]
    assert drawn.shape[1] == 660 and drawn.shape[0] > 120
    shown = visualizer.get_image()
    # matplotlib before 3.11 moves a few rows by a pixel
    assert shown.shape == drawn.shape and (shown == drawn).mean() > 0.95
    truth, predicted = colors_in(drawn[:120, :330]), colors_in(drawn[:120, 330:])
    assert PALETTE[0] in truth and PALETTE[1] not in truth
    assert PALETTE[1] in predicted and PALETTE[0] not in predicted


def test_one_panel(visualizer, tmp_path):
    file = tmp_path / 'a.png'
    visualizer.add_datasample('a', IMAGE, make_sample(text=('cat', 'dog')), draw_gt=False,
                              out_file=str(file), pred_score_thr=0.1)
    drawn = mmcv.imread(str(file))[..., ::-1]
    assert drawn.shape[1] == 330
    assert {PALETTE[0], PALETTE[1]} <= colors_in(drawn[:120])


def test_names_of_the_data_set(visualizer, tmp_path):
    visualizer.dataset_meta = dict(classes=('cat', 'dog'))
    visualizer.add_datasample('a', IMAGE, make_sample(), draw_gt=False)
    assert visualizer.get_image().shape == IMAGE.shape
    assert list(tmp_path.rglob('a_0.png'))


def test_without_a_sample(visualizer, tmp_path):
    visualizer.add_datasample('a', IMAGE, out_file=str(tmp_path / 'a.png'))
    np.testing.assert_array_equal(visualizer.get_image(), IMAGE)
