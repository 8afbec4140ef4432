"""Results beside the published numbers."""

import json
import logging
import math

from mmengine.config import Config

from glip_mm.apis.expected_metrics import Expected
from glip_mm.apis.expected_vs_obtained import causes, compare
from glip_mm.apis.testing import report, write_results

EXPECTED = Expected({'lvis/AP': 0.25, 'lvis/APr': 0.177}, 0.003, 'the authors')


def test_within_the_tolerance():
    table, off = compare(EXPECTED, {'lvis/AP': 0.2475, 'lvis/APr': 0.18})
    assert off == [] and 'beyond' not in table
    assert '25.00%' in table and '24.75%' in table and '-0.25' in table
    assert '(expected: the authors)' in table


def test_what_is_off_or_missing_is_marked():
    table, off = compare(EXPECTED, {'lvis/AP': 0.21})
    assert off == ['lvis/AP', 'lvis/APr']
    assert '<- beyond 0.30' in table and '<- not computed' in table
    assert compare(EXPECTED, {'lvis/AP': math.nan, 'lvis/APr': .177})[1] == ['lvis/AP']


def test_the_usual_causes_follow_a_difference_only(caplog):
    config = Config(dict(model_name='glip_swin-t_o365-goldg', benchmark='coco'))
    logger = logging.getLogger('compare')
    with caplog.at_level(logging.INFO, 'compare'):
        report({'coco/bbox_mAP': 0.466}, config, logger)
    assert '46.70%' in caplog.text and 'Usual causes' not in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, 'compare'):
        report({'coco/bbox_mAP': 0.40}, config, logger)
    assert 'coco/bbox_mAP: not as published. Usual causes:' in caplog.text
    assert all(f'  {i}. ' in causes() for i in range(1, 11))
    caplog.clear()
    report({'coco/bbox_mAP': 0.40}, Config(dict(model_name='mine', benchmark='coco')), logger)
    assert caplog.text == ''


def test_results_are_written_for_machines(tmp_path):
    config = Config(dict(model_name='glip_swin-t_o365-goldg', benchmark='coco',
                         load_from='a.pth'))
    path = write_results(tmp_path, {'coco/bbox_mAP': 0.4, 'x': math.nan}, config,
                         [dict(name='val')], 3.)
    content = json.loads(path.read_text())
    assert content['metrics'] == {'coco/bbox_mAP': 0.4, 'x': None}
    assert content['expected'] == {'coco/bbox_mAP': 0.467} and content['checkpoint'] == 'a.pth'
    assert content['datasets'] == [dict(name='val')] and content['environment']['torch']
    assert Config.fromfile(tmp_path / 'config.py').benchmark == 'coco'
