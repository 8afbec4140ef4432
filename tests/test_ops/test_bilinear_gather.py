import pytest
import torch
import torch.nn.functional as F

from glip_mm.ops import bilinear_gather
from glip_mm.ops.bilinear_gather import (
    bilinear_corners,
    gather_matmul,
    sample,
    scatter,
)


@pytest.fixture
def points():
    torch.manual_seed(0)
    index, weight = torch.randint(0, 30, (11, 9, 4)), torch.rand(11, 9, 4, dtype=torch.double)
    return torch.randn(30, 5, dtype=torch.double), index, weight


def test_sample_and_scatter_are_each_others_transpose(points):
    rows, index, weight = points
    wanted = (rows[index] * weight[..., None]).sum(2).flatten(1)
    torch.testing.assert_close(sample(*points), wanted)
    grad = torch.randn(11 * 9, 5, dtype=torch.double)
    back = torch.zeros_like(rows).index_add_(
        0, index.flatten(), (grad[:, None] * weight.view(-1, 4, 1)).flatten(0, 1))
    torch.testing.assert_close(scatter(grad, index, weight, 30), back)


@pytest.mark.parametrize('piece', [4, 100])
def test_gradients_in_pieces(points, monkeypatch, piece):
    monkeypatch.setattr(bilinear_gather, 'PIECE', piece)
    rows, index, weight = points
    args = [x.requires_grad_() for x in (rows, weight, torch.randn(3, 5, 9, dtype=torch.double),
                                         torch.randn(3, dtype=torch.double))]
    assert torch.autograd.gradcheck(
        lambda rows, *rest: gather_matmul(rows, index, *rest), args, fast_mode=True)


def test_corners_read_as_grid_sample_does():
    torch.manual_seed(1)
    image, offset = torch.randn(2, 4, 6, 8), torch.randn(2, 18, 3, 4) * 4
    index, weight = bilinear_corners(offset, torch.ones(2, 9, 3, 4), (6, 8), stride=(2, 2))
    got = sample(image.permute(0, 2, 3, 1).reshape(-1, 4), index, weight).view(2, 3, 4, 9, 4)
    for tap in range(9):
        y = torch.arange(3)[:, None] * 2 + tap // 3 - 1 + offset[:, 2 * tap]
        x = torch.arange(4) * 2 + tap % 3 - 1 + offset[:, 2 * tap + 1]
        grid = torch.stack((2 * x / 7 - 1, 2 * y / 5 - 1), dim=-1)
        wanted = F.grid_sample(image, grid, align_corners=True)  # zeros outside
        torch.testing.assert_close(got[:, :, :, tap].permute(0, 3, 1, 2), wanted,
                                   rtol=1e-4, atol=1e-4)
