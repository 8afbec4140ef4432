"""Old names work for one release and warn with the new ones."""

import importlib
import sys

import pytest

from glip_mm.moved import RENAMED
from glip_mm.ops.modulated_deform_conv import modulated_deform_conv2d
from glip_mm.ops.sampled_deform_conv import sampled_deform_conv2d


@pytest.mark.parametrize('name', RENAMED)
def test_modules_are_found_by_their_old_names(name):
    old, new = f'glip_mm.{name}', f'glip_mm.{RENAMED[name]}'
    sys.modules.pop(old, None)
    importlib.import_module(old.rpartition('.')[0])  # whose own warnings are others
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


@pytest.mark.parametrize('module, name, wanted', [
    ('glip_mm.models.layers.deform_conv', 'modulated_deform_conv2d', modulated_deform_conv2d),
    ('glip_mm.deploy.dynamic_conv', 'sampled_deform_conv2d', sampled_deform_conv2d)])
def test_old_names_warn_with_the_new_ones(module, name, wanted):
    old = importlib.import_module(module)
    with pytest.warns(FutureWarning, match=f'{module}.{name} is now glip_mm.ops..*{name}'):
        assert getattr(old, name) is wanted
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        getattr(old, 'other')  # noqa: B009
