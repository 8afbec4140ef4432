"""The examples of docs/prompts.md and of the transforms' docstrings are true."""

import doctest
import importlib
import re
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

DOC = Path(__file__).parents[3] / 'docs' / 'prompts.md'


def test_examples_of_the_page():
    blocks = re.findall(r'^```python\n(.*?)^```', DOC.read_text(encoding='utf-8'), re.M | re.S)
    source = '\n'.join(block for block in blocks if '>>>' in block)
    test = doctest.DocTestParser().get_doctest(source, {}, DOC.name, str(DOC), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    said = []
    runner.run(test, out=said.append)
    assert runner.tries > 30 and not runner.failures, ''.join(said)


def test_every_transform_of_the_pipeline_exists():
    import glip_mm.datasets  # noqa: F401
    from glip_mm.registry import TRANSFORMS
    block = re.findall(r'^```python\n(pipeline = .*?)^```', DOC.read_text(encoding='utf-8'),
                       re.M | re.S)[0]
    scope: dict = {}
    exec(block, scope)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        for step in scope['pipeline']:
            # reads the images; comes with the data sets
            if step['type'] != 'LoadImage':
                assert TRANSFORMS.build(dict(step)) is not None


@pytest.mark.parametrize('name', ['box_conventions', 'caption_packing', 'class_vocabulary',
                                  'word_swapping'])
def test_examples_in_docstrings(name):
    module = importlib.import_module(f'glip_mm.datasets.transforms.{name}')
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
