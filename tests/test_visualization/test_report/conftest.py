"""A report on two generated runs, made once."""

import pytest

from glip_mm.visualization.report import make_report
from tests.test_evaluation.test_analysis import generated


@pytest.fixture(scope='package')
def report(tmp_path_factory):
    """Folder of the report."""
    root = tmp_path_factory.mktemp('report')
    parts = [generated.make_coco(root, count=12), generated.make_lvis(root, classes=9),
             generated.make_phrases(root, count=6)]
    runs = [generated.make_run(root / 'a', parts, model='nano <b>'),
            generated.make_run(root / 'b', parts, quality=0.5, seed=1, model='pico')]
    make_report(runs, root / 'out', pictures=3, classes=4, progress=False)
    return root / 'out'
