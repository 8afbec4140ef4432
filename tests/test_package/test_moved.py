"""Old names of modules that moved."""

import importlib
import sys

import pytest

MOVED = ('analysis', 'calibration', 'config_datasets', 'errors', 'ground_truth', 'matching',
         'phrase_rows', 'results')


@pytest.mark.parametrize('name', MOVED)
def test_analysis_is_found_by_its_old_names(name):
    import glip_mm.visualization.report
    old, new = f'glip_mm.visualization.report.{name}', f'glip_mm.evaluation.analysis.{name}'
    sys.modules.pop(old, None)
    vars(glip_mm.visualization.report).pop(name, None)
    with pytest.warns(FutureWarning, match=f'^{old} is {new} now') as caught:
        found = importlib.import_module(old)
    assert found is importlib.import_module(new) and found.__name__ == found.__spec__.name == new
    assert len(caught) == 1


def test_the_warning_is_shown_where_the_import_is():
    sys.modules.pop('glip_mm.visualization.report.matching', None)
    with pytest.warns(FutureWarning) as caught:
        from glip_mm.visualization.report.matching import Matches
    assert caught[0].filename == __file__
    from glip_mm.evaluation.analysis import matching
    assert Matches is matching.Matches
    with pytest.raises(ModuleNotFoundError, match='no_such'):
        importlib.import_module('glip_mm.visualization.report.no_such')
