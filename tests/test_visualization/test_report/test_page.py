"""The page, its files, and what happens to broken input."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from glip_mm.visualization.report import make_report
from glip_mm.visualization.report.dataset_section import file_stems
from tests.test_evaluation.test_analysis import generated

TOOL = Path(__file__).parents[3] / 'tools' / 'analysis_tools' / 'report.py'


def test_page_says_everything_once_and_needs_nothing_else(report):
    text = (report / 'index.html').read_text()
    for word in ('shapes/', 'expected', 'recall of the 4 classes with', 'Confusion: pico',
                 'Calibration', 'AP by size', 'AP by frequency', 'AP of each data set',
                 'surest false detections', 'worst misses', 'Environment', 'linux &lt;&amp;&gt;',
                 'quality=0.5', 'nano &lt;b&gt;'):
        assert word in text, word
    assert 'nano <b>' not in text
    # self-contained: no script, no style, picture or font from elsewhere
    assert '<script' not in text
    for address in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert address.startswith(('data:', '#')), address[:60]
    assert not re.search(r'url\((?!#)', text)
    assert re.findall(r'#(?:3f3f46|71717a|d4d4d8|fafaf9)', text.split('</style>')[1]) == []
    # the phrases of a caption, not a list of classes
    assert re.search(r'a picture of\s+<mark', text)


def test_files(report):
    names = {path.name for path in (report / 'figures').iterdir()}
    assert {'datasets.png', 'shapes_pr.png', 'shapes_pr_classes.png', 'shapes_size.png',
            'shapes_confusion_0.png', 'shapes_calibration.png', 'shapes_errors.png',
            'long-tail_frequency.png', 'shapes_false_0.png', 'captions_missed_1.png'} <= names
    assert 'shapes_frequency.png' not in names and 'captions_confusion_0.png' not in names
    for name in names:
        with Image.open(report / 'figures' / name) as image:
            assert image.format == 'PNG' and min(image.size) > 150, name


def test_summary(report):
    summary = json.loads((report / 'summary.json').read_text())
    first, second = summary['results']
    assert first['difference']['shapes/coco/bbox_mAP'] == pytest.approx(0.4 - 0.42)
    assert list(first['datasets']) == ['shapes', 'long_tail', 'captions']
    shapes = first['datasets']['shapes']
    assert shapes['kind'] == 'detection' and shapes['AP_by_frequency'] is None
    assert shapes['AP'] > second['datasets']['shapes']['AP'] > 0
    assert [c['name'] for c in shapes['classes']] == [
        'red disk', 'green disk', 'blue disk', 'gold disk', 'violet disk', 'teal disk']
    assert shapes['AP'] == pytest.approx(sum(c['AP'] for c in shapes['classes']) / 6)
    errors = shapes['errors']
    assert errors['correct'] + errors['missed'] == shapes['boxes']
    assert first['datasets']['long_tail']['kind'] == 'federated'
    assert set(first['datasets']['long_tail']['AP_by_frequency']) == {'rare', 'common', 'frequent'}
    assert first['datasets']['captions']['kind'] == 'phrases'


def test_one_run_interrupted_with_a_data_set_lost(tmp_path, caplog):
    parts = [generated.make_coco(tmp_path, count=8), generated.make_coco(tmp_path, 'lost', 3)]
    parts[0].prompt = {'red disk': dict(name='round red thing', suffix=' on paper')}
    run = generated.make_run(tmp_path / 'run', parts, images=9)
    parts[1].ann_file.unlink()
    for path in parts[0].paths:
        path.unlink()
    page = make_report([run], tmp_path / 'out', pictures=1, classes=0, progress=False)
    text = page.read_text()
    assert 'lost/boxes.json' in text and 'is missing' in text  # said in the page
    assert 'on paper' in text  # the prompt as it was
    summary = json.loads((tmp_path / 'out' / 'summary.json').read_text())
    assert list(summary['results'][0]['datasets']) == ['shapes']
    interrupted = generated.make_run(tmp_path / 'half', parts[:1], images=5)
    page = make_report([interrupted], tmp_path / 'half_out', pictures=0, classes=0, progress=False)
    assert '5 of 8: the test was interrupted' in page.read_text()


def test_metrics_alone(tmp_path):
    content = dict(metrics={'coco/bbox_mAP': 0.466, 'coco/bbox_mAP_l': -1.},
                   expected={'coco/bbox_mAP': 0.466, 'coco/other': 0.2}, model='glip-t')
    (tmp_path / 'metrics.json').write_text(json.dumps(content))
    text = make_report([tmp_path], tmp_path / 'out', progress=False).read_text()
    assert '46.6' in text and 'not measured' in text and '±0.0' in text and 'no config.py' in text
    assert 'class="good">±0.0' in text


def test_data_sets_of_like_names_have_files_of_their_own():
    assert file_stems(['A/b', 'a b', '?']) == {'A/b': 'a-b', 'a b': 'a-b-2', '?': 'dataset'}


def test_runs_of_one_model_are_told_apart(tmp_path):
    for name in 'ab':
        (tmp_path / name / 'test').mkdir(parents=True)
        (tmp_path / name / 'test' / 'metrics.json').write_text('{"metrics": {}, "model": "m"}')
    page = make_report([tmp_path / n / 'test' for n in 'ab'], tmp_path / 'out', progress=False)
    assert 'm (a/test)' in page.read_text() and 'm (b/test)' in page.read_text()
    with pytest.raises(ValueError, match='3 names were given for 2 results'):
        make_report([tmp_path, tmp_path], tmp_path / 'out', ['a', 'b', 'c'], progress=False)


def test_input_that_makes_no_sense(tmp_path):
    with pytest.raises(FileNotFoundError, match='has no metrics.json; give the work directory'):
        make_report([tmp_path], tmp_path / 'out', progress=False)
    entry = dict(name='a', num_images=1)
    for content in ([], *(dict(metrics={}, datasets=[one]) for one in (
            dict(num_images=1), dict(entry, classes=[True]), dict(entry, ann_file=7.5),
            dict(entry, img_prefix=[1])))):
        (tmp_path / 'metrics.json').write_text(json.dumps(content))
        with pytest.raises(ValueError, match='is no metrics.json of tools/test.py'):
            make_report([tmp_path], tmp_path / 'out', progress=False)
    part = generated.make_coco(tmp_path, count=4)
    run = generated.make_run(tmp_path / 'run', [part])
    content = json.loads((run / 'metrics.json').read_text())
    content['datasets'][0]['num_images'] = 3
    (run / 'metrics.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='has image 3, but the data sets of metrics.json hold 3'):
        make_report([run], tmp_path / 'out', progress=False)
    assert not (tmp_path / 'out' / 'index.html').exists()


def test_tool_fails_with_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), str(tmp_path)])
    with pytest.raises(SystemExit, match=f"^error: '{tmp_path}' has no metrics.json"):
        runpy.run_path(str(TOOL), run_name='__main__')


def test_tool_writes_beside_the_result(tmp_path, monkeypatch, capsys):
    (tmp_path / 'metrics.json').write_text('{"metrics": {"AP": 0.5}}')
    monkeypatch.setattr(sys, 'argv', [str(TOOL), str(tmp_path), '--names', 'mine'])
    runpy.run_path(str(TOOL), run_name='__main__')
    assert capsys.readouterr().out.endswith(f'report: {tmp_path}/report/index.html\n')
    assert '<title>mine</title>' in (tmp_path / 'report' / 'index.html').read_text()
