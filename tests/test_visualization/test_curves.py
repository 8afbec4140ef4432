"""Smoothing, means and deviations."""

import numpy as np
import pytest

from glip_mm.visualization.curves import (
    Curve,
    mean_and_deviation,
    mean_curve,
    plus_minus,
    smooth,
)


def test_smoothing_has_no_bias_and_survives_nan():
    np.testing.assert_allclose(smooth(np.full(5, 3.), 0.9), 3.)
    values = np.array([1., np.nan, 5.])
    result = smooth(values, 0.5)
    # weights 0.5 and 0.25 of two values
    assert np.isnan(result[1]) and result[2] == pytest.approx((0.5 * 5 + 0.25 * 1) / 0.75)
    np.testing.assert_array_equal(smooth(np.array([4., 2.]), 0.), [4., 2.])
    with pytest.raises(ValueError, match='smooth=1'):
        smooth(values, 1)


def test_mean_of_runs_with_other_steps():
    a = Curve('a', np.array([0., 10., 20.]), np.array([0., 1., 2.]))
    b = Curve('a', np.array([5., 15.]), np.array([2.5, 3.5]))
    mean = mean_curve([a, b])
    assert mean.x.tolist() == [5., 10., 15.] and mean.label == 'a'
    np.testing.assert_allclose(mean.y, [1.5, 2., 2.5])
    np.testing.assert_allclose(mean.spread, np.sqrt(2))  # of two that differ by 2
    assert mean_curve([a]).spread is None
    with pytest.raises(ValueError, match='no steps in common'):
        mean_curve([a, Curve('a', np.array([30.]), np.array([1.]))])


def test_deviation_is_that_of_a_sample():
    assert mean_and_deviation([1., 2., 3.]) == (2., 1.)
    mean, deviation = mean_and_deviation([4.])
    assert mean == 4. and np.isnan(deviation)
    assert plus_minus(mean, deviation) == '4.0' and plus_minus(1.26, 0.5) == '1.3 ± 0.5'
    with pytest.raises(ValueError, match='no run'):
        mean_and_deviation([])
