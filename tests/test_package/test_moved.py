"""Old names work for one release and warn with the new ones."""

import importlib

import pytest

from glip_mm.ops.modulated_deform_conv import modulated_deform_conv2d
from glip_mm.ops.sampled_deform_conv import sampled_deform_conv2d


@pytest.mark.parametrize('module, name, wanted', [
    ('glip_mm.models.layers.deform_conv', 'modulated_deform_conv2d', modulated_deform_conv2d),
    ('glip_mm.deploy.dynamic_conv', 'sampled_deform_conv2d', sampled_deform_conv2d)])
def test_old_names_warn_with_the_new_ones(module, name, wanted):
    old = importlib.import_module(module)
    with pytest.warns(FutureWarning, match=f'{module}.{name} is now glip_mm.ops..*{name}'):
        assert getattr(old, name) is wanted
    with pytest.raises(AttributeError, match="has no attribute 'other'"):
        getattr(old, 'other')  # noqa: B009
