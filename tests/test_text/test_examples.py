import doctest
import importlib

import pytest


@pytest.mark.parametrize('name', ['names', 'prompt', 'splitting', 'noun_phrases'])
def test_examples_in_docstrings(name):
    if name == 'noun_phrases':
        pytest.importorskip('textblob')
    module = importlib.import_module(f'glip_mm.text.{name}')
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
