"""Large images in tiles."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from glip_mm.apis.result import GroundingResult
from glip_mm.apis.tiles import Tiling, merge_views
from glip_mm.models.dense_heads import PredictionSettings


def test_tiles_cover_and_overlap():
    for width, height in ((1000, 300), (801, 1999), (800, 800), (3000, 2000)):
        tiling = Tiling(800, 0.2)
        whole, *tiles = tiling.views(width, height)
        assert whole == (0, 0, width, height)
        assert bool(tiles) == (max(width, height) > 800)
        covered = np.zeros((height, width), bool)
        for x1, y1, x2, y2 in tiles:
            assert (x2 - x1, y2 - y1) == (min(800, width), min(800, height))
            covered[y1:y2, x1:x2] = True
        assert covered.all() or not tiles
        starts = sorted({x for x, *_ in tiles})
        assert all(b - a <= 640 for a, b in zip(starts, starts[1:]))
    for wrong in (dict(tile=10), dict(tile=1.5), dict(tile=100, overlap=0.9)):
        with pytest.raises(ValueError, match='tile=|overlap='):
            Tiling(**wrong)


def part(*boxes):
    return GroundingResult(np.array([b[:4] for b in boxes], np.float32).reshape(-1, 4),
                           np.array([b[4] for b in boxes], np.float32),
                           np.array([b[5] for b in boxes], int), ['ab'[b[5]] for b in boxes])


VIEWS = [(0, 0, 180, 80), (0, 0, 100, 80), (80, 0, 180, 80)]


def merged(*parts, views=VIEWS):
    found = merge_views([part(*boxes) for boxes in parts], views)
    return [(*box, round(score, 2), name) for box, score, name in zip(
        found.boxes.tolist(), found.scores.tolist(), found.names)]


def test_an_object_comes_out_once():
    # whole in all views; the best box is kept
    assert merged([(82, 10, 98, 30, .5, 0)], [(81, 10, 97, 30, .9, 0)],
                  [(2, 11, 18, 30, .7, 0)]) == [(81, 10, 97, 30, .9, 'a')]
    # a piece at the border belongs to the whole in the next tile, and lends it its score
    assert merged([], [(85, 10, 100, 30, .9, 0)], [(5, 10, 60, 30, .6, 0)]) == [
        (85, 10, 140, 30, .9, 'a')]
    # two halves that no view shows as a whole
    assert merged([], [(20, 10, 100, 30, .4, 0)], [(0, 10, 70, 30, .6, 0)]) == [
        (20, 10, 150, 30, .6, 'a')]
    # the whole image shows it
    assert merged([(20, 10, 150, 31, .3, 0)], [(20, 10, 100, 30, .4, 0)],
                  [(0, 10, 70, 30, .6, 0)]) == [(20, 10, 150, 31, .6, 'a')]
    views = [(0, 0, 260, 80), (0, 0, 100, 80), (80, 0, 180, 80), (160, 0, 260, 80)]
    assert merged([], [(50, 9, 100, 30, .4, 0)], [(0, 10, 100, 30, .6, 0)],
                  [(0, 10, 40, 30, .5, 0)], views=views) == [(50, 9, 200, 30, .6, 'a')]


def test_different_objects_stay():
    # other names, other places, neighbours within a view, and halves that do not meet
    assert len(merged([], [(85, 10, 95, 30, .9, 0)], [(5, 10, 15, 30, .6, 1)])) == 2
    assert len(merged([], [(60, 10, 78, 30, .9, 0)], [(22, 10, 40, 30, .6, 0)])) == 2
    assert len(merged([], [(10, 10, 50, 30, .9, 0), (15, 10, 60, 30, .8, 0)], [])) == 2
    assert len(merged([], [(20, 10, 100, 30, .4, 0)], [(0, 50, 70, 70, .6, 0)])) == 2
    assert merged([], [], []) == []


class Squares:
    """A detector that finds each run of bright columns, in the order of the names."""

    def __init__(self):
        self.test_cfg, self.prompts, self.batches = PredictionSettings(), SimpleNamespace(), []

    def test_step(self, data, settings=None):
        self.batches.append(len(data['inputs']))
        for pixels, sample in zip(data['inputs'], data['data_samples']):
            bright = (pixels[0] > 128).nonzero()
            boxes = []
            columns = bright[:, 1].unique()
            for run in columns.tensor_split((columns.diff() > 1).nonzero().flatten() + 1):
                if len(run):
                    rows = bright[torch.isin(bright[:, 1], run), 0]
                    boxes.append([run.min(), rows.min(), run.max() + 1, rows.max() + 1])
            boxes = torch.tensor(boxes).float().reshape(-1, 4)
            boxes /= torch.tensor([*sample.scale_factor] * 2)
            sample.pred_instances = InstanceData(
                bboxes=boxes, scores=torch.full((len(boxes), ), .8),
                labels=torch.zeros(len(boxes), dtype=torch.long))
        return data['data_samples']


def test_objects_across_borders_come_out_once(inferencer, config, monkeypatch):
    image = np.zeros((96, 512, 3), np.uint8)
    objects = [(20, 30, 60, 70), (110, 40, 150, 60), (250, 10, 500, 90)]
    for x1, y1, x2, y2 in objects:
        image[y1:y2, x1:x2] = 255
    model = Squares()
    monkeypatch.setattr(inferencer, 'model', model)
    found = inferencer(image, ['thing'], tile=128, overlap=0.25, batch_size=3)[0]
    assert model.batches == [3, 3]  # the whole and five tiles
    boxes = found.boxes[found.boxes[:, 0].argsort()]
    np.testing.assert_allclose(boxes, objects, atol=3)
    assert found.size == (512, 96)


def test_a_tile_as_large_as_the_image_changes_nothing(inferencer, pictures):
    names = [f'thing {i}' for i in range(9)]
    plain = inferencer(pictures, names, chunked_size=4)
    tiled = inferencer(pictures, names, chunked_size=4, tile=128)
    assert [r.to_dict() for r in tiled] == [r.to_dict() for r in plain]


def test_chunks_of_names_in_tiles(inferencer, pictures):
    names = [f'thing {i}' for i in range(9)]
    found = inferencer(f'{pictures}/0.png', names, chunked_size=4, tile=64, batch_size=4)[0]
    assert found.size == (128, 96) and set(found.labels) == set(range(9))
    assert (np.diff(found.scores) <= 0).all()
    assert found.names == [names[label] for label in found.labels]
    assert found.boxes.min() >= -1 and found.boxes.max() <= 130
