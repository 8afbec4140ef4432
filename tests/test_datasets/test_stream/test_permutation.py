import numpy as np
import pytest

from glip_mm.datasets.stream import mix, permute


@pytest.mark.parametrize('size', [1, 2, 3, 4, 5, 16, 17, 1000, 65537])
def test_every_position_goes_somewhere_else_exactly_once(size):
    for key in (0, 1, 2**63):
        assert sorted(permute(np.arange(size), size, key)) == list(range(size))


def test_it_shuffles_and_the_key_matters():
    first, second = (permute(np.arange(1000), 1000, key) for key in (1, 2))
    assert (first == second).mean() < 0.02
    assert (first == np.arange(1000)).mean() < 0.02
    assert abs(np.corrcoef(first, np.arange(1000))[0, 1]) < 0.1


def test_single_positions_agree_with_many():
    whole = permute(np.arange(100), 100, 7)
    assert [int(permute(np.array([i]), 100, 7)[0]) for i in range(100)] == whole.tolist()


def test_mixing_depends_on_order_and_value():
    assert len({mix(0, 1), mix(1, 0), mix(0), mix(1), mix(), mix(-1)}) == 6
    assert mix(3, 4) == mix(3, 4)
