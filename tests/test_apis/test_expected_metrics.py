"""Published numbers are found, and are those of known benchmarks."""

from pathlib import Path

import pytest
from mmengine.fileio import load

from glip_mm.apis.expected_metrics import KEYS, expected_metrics

ROOT = Path(__file__).parents[2]
#: The best checkpoints on LVIS were published for little else.
ROWS = [row for row in load(ROOT / 'configs/glip/metafile.yml')['Models']
        if not row['Name'].endswith('_lvisbest')]
SETS = {d['name'] for d in load(ROOT / 'configs/_base_/datasets/odinw.json')['odinw'] if d['in_13']}


def test_values_are_fractions_under_the_names_of_our_metrics():
    found = expected_metrics('glip_swin-t_o365-goldg', 'lvis_minival', ROOT)
    assert found.metrics == pytest.approx(
        {'lvis/AP': .246, 'lvis/APr': .143, 'lvis/APc': .194, 'lvis/APf': .311})
    assert found.tolerance == pytest.approx(.007) and 'authors' in found.source
    assert expected_metrics('glip_swin-l_mixed', 'coco', ROOT).metrics == {'coco/bbox_mAP': .514}


def test_what_is_not_published_is_none():
    assert expected_metrics('glip_swin-l_mixed', 'refcoco', ROOT) is None
    assert expected_metrics('mine', 'coco', ROOT) is None
    assert expected_metrics(None, None, ROOT) is None


@pytest.mark.parametrize('row', ROWS, ids=lambda r: r['Name'])
def test_rows_of_the_metafile(row):
    benchmarks = [r['Benchmark'] for r in row['Results'] if 'Benchmark' in r]
    assert len(set(benchmarks)) == len(benchmarks) and set(benchmarks) <= set(KEYS)
    assert {'coco', 'lvis_minival', 'lvis_val', 'odinw13_prompts'} <= set(benchmarks)
    for benchmark in benchmarks:
        found = expected_metrics(row['Name'], benchmark, ROOT)
        assert all(0 <= v <= 1 for v in found.metrics.values()) and 0 < found.tolerance < .05


@pytest.mark.parametrize('benchmark', ['odinw13', 'odinw13_prompts'])
@pytest.mark.parametrize('model', [r['Name'] for r in ROWS[:3]])
def test_averages_are_those_of_their_sets(model, benchmark):
    metrics = dict(expected_metrics(model, benchmark, ROOT).metrics)
    mean = metrics.pop('odinw/mean')
    assert {k.split('/')[1] for k in metrics} == SETS
    assert sum(metrics.values()) / 13 == pytest.approx(mean, abs=6e-4)
