"""Means and deviations."""

import math

import pytest

from glip_mm.finetuning import aggregate, results_table
from glip_mm.finetuning.results import METRICS, suite_summary


def run(ap):
    return dict(dict.fromkeys(METRICS, math.nan), AP=ap, AP50=2 * ap)


def test_mean_and_sample_deviation():
    both = aggregate([run(0.1), run(0.2), run(0.3)])
    assert both['AP'] == pytest.approx((0.2, 0.1)) and both['AP50'] == pytest.approx((0.4, 0.2))
    assert all(map(math.isnan, both['APs']))
    assert math.isnan(aggregate([run(0.1)])['AP'][1])


def test_table():
    text = results_table({'seed 3': run(0.1), 'seed 30': run(0.3)})
    assert '| mean ± deviation | 20.0 ± 14.1 | 40.0 ± 28.3 | - |' in text
    assert 'mean' not in results_table({'seed 3': run(0.1)})
    assert text.endswith('large: above)') and '\n\n-: no box of that size' in text
    assert '-:' not in results_table({'seed 3': dict.fromkeys(METRICS, 0.1)}).partition('\n| s')[2]


def test_suite():
    text, values = suite_summary(dict(
        a={'seed 3': run(0.1), 'seed 30': run(0.3)}, b={'seed 3': run(0.3), 'seed 30': run(0.1)},
        empty={'seed 3': run(math.nan)}))
    assert values == pytest.approx(dict(a=0.2, b=0.2, empty=math.nan), nan_ok=True)
    # each set differs over seeds, their mean does not
    assert '| a | 2 | 20.0 | 14.1 | 40.0 |' in text and '| empty | 1 | - | - | - |' in text
    assert '| mean of 2 | | 20.0 | 0.0 | 40.0 |' in text
