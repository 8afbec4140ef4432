"""Text in pages is text, whatever it says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from glip_mm.pseudo_labels.review import make_review
from glip_mm.text import Prompt
from glip_mm.visualization import HtmlPage, save_image
from glip_mm.visualization.dataset_sample import DatasetSample
from glip_mm.visualization.page_style import PROPERTIES
from glip_mm.visualization.pages import ENVIRONMENT, percent, render
from glip_mm.visualization.report import make_report
from tests.test_evaluation.test_analysis import generated
from tests.test_pseudo_labels.label_world import row, write_labels

from .test_dataset_sample import Checker

ROOT = Path(__file__).parents[2]
SCRIPT, FILE = '<script>alert(1)</script>', 'it\'s "1" & <i>.jpg'
SHOWN_SCRIPT = '&lt;script&gt;alert(1)&lt;/script&gt;'
SHOWN_FILE = 'it&#39;s &#34;1&#34; &amp; &lt;i&gt;.jpg'


def check(page):
    text = page.read_text()
    checker = Checker()
    checker.feed(text)
    assert not checker.open and not {'script', 'i'} & set(checker.count)
    assert text.count('<style>') == 1
    assert SCRIPT not in text and FILE not in text
    assert SHOWN_SCRIPT in text and SHOWN_FILE in text
    assert SCRIPT in checker.text and FILE in checker.text
    return text


@pytest.mark.parametrize('runs', [1, 2])
def test_report(tmp_path, runs):
    part = generated.make_coco(tmp_path, count=4)
    content = json.loads(part.ann_file.read_text())
    content['categories'][0]['name'] = SCRIPT
    content['images'][0]['file_name'] = FILE
    part.ann_file.write_text(json.dumps(content))
    part.classes, part.name = (SCRIPT, *part.classes[1:]), f'{SCRIPT} {FILE}'
    part.paths[0] = part.paths[0].rename(part.paths[0].with_name(FILE))
    folders = [generated.make_run(
        tmp_path / str(i), [part], 0.5, i, f'{SCRIPT} {i}', benchmark=f'"{SCRIPT}',
        environment={SCRIPT: FILE, FILE: f'{SCRIPT} ' * 20},
        metrics={SCRIPT: 0.5, FILE: 0.2}, expected={SCRIPT: 0.4}) for i in range(runs)]
    text = check(make_report(folders, tmp_path / 'out', progress=False))
    stem = 'script-alert-1-script-it-s-1-i-jpg'
    for place in (f'<h2 id="of-{stem}">{SHOWN_SCRIPT} {SHOWN_FILE}</h2>',
                  f'<td>{SHOWN_SCRIPT}</td>', f'<b>{SHOWN_SCRIPT}</b><small>AP50',
                  f'<small>{SHOWN_FILE}</small>', f'<dt>{SHOWN_SCRIPT}</dt><dd>{SHOWN_FILE}</dd>',
                  f'aria-label="precision and recall of {SHOWN_SCRIPT}"',
                  f'&#34;{SHOWN_SCRIPT}</title>'):
        assert place in text, place
    assert '<td>&lt;script&gt;alert(1)&lt;/<wbr>script&gt;</td>' in text  # a metric


def test_report_that_can_not_be_made(tmp_path):
    part = generated.make_coco(tmp_path, count=2)
    run = generated.make_run(tmp_path / 'run', [part], model=SCRIPT)
    part.ann_file.rename(part.ann_file.with_name(FILE))
    content = json.loads((run / 'metrics.json').read_text())
    content['datasets'][0]['ann_file'] = str(part.ann_file.with_name('no ' + FILE))
    (run / 'metrics.json').write_text(json.dumps(content))
    assert '<div class="error">the annotation file' in check(
        make_report([run], tmp_path / 'out', progress=False))


def test_review(tmp_path):
    run = write_labels(tmp_path / FILE, [
        row(FILE, f'a {SCRIPT} and a <b>cat</b>', [
            (SCRIPT, [[10, 10, 60, 60]], [0.9])], ['<b>cat</b>']),
        row(f'no {FILE}', f'a {SCRIPT}', [(SCRIPT, [[10, 10, 60, 60]], [0.9])])])
    (run / 'rejects.jsonl').write_text(json.dumps(dict(filename=FILE, cause=SCRIPT)) + '\n')
    save_image(tmp_path / 'images' / FILE, np.full((120, 200, 3), 128, np.uint8))
    text = check(make_review(run, tmp_path / 'images', tmp_path / 'out', progress=False))
    assert f'<h1>Labels of {SHOWN_FILE}</h1>' in text and f'alt="{SHOWN_FILE}"' in text
    assert f'<td>{SHOWN_SCRIPT}</td><td>1</td>' in text  # rejects
    assert re.search(f'<mark [^>]*>{re.escape(SHOWN_SCRIPT)}</mark>', text)
    assert '<span class="none">&lt;b&gt;cat&lt;/b&gt;</span>' in text
    assert f'no {SHOWN_FILE}&#39; is missing' in text


def test_samples(tmp_path):
    def sample(names):
        return DatasetSample(
            np.zeros((48, 64, 3), np.uint8), np.array([[8., 4, 40, 36]]), np.array([0]), [SCRIPT],
            None, Prompt.from_names(names), np.zeros((0, 4)), FILE, f'"{SCRIPT}')
    with HtmlPage(tmp_path / 'page.html', SCRIPT, FILE) as page:
        page.add(sample([SCRIPT, 'cat']), FILE)
        page.add(sample([SCRIPT, *(f'thing {i}' for i in range(60))]), 'sample')
        page.add_error(FILE, SCRIPT)
    text = check(tmp_path / 'page.html')
    assert f'<p>{SHOWN_FILE} <span class="none">' in text and f'alt="{SHOWN_FILE}"' in text
    assert f'<td>{SHOWN_SCRIPT}</td>' in text and f'<b>{SHOWN_FILE}</b><br>{SHOWN_SCRIPT}' in text
    # the caption has the name without its brackets
    assert len(re.findall(f'<mark [^>]*>{re.escape(SHOWN_SCRIPT)}</mark>', text)) == 1
    assert '60 names without a box' in text


def test_every_template_compiles_and_escapes():
    names = ENVIRONMENT.list_templates()
    assert {'page.html', 'style.css', 'report.html', 'review.html', 'samples.html'} <= set(names)
    for name in names:
        ENVIRONMENT.get_template(name)
        assert ENVIRONMENT.autoescape(name) == name.endswith('.html'), name
    style = render('style.css')
    assert all(f'{name}: {color}' in style for color, name in PROPERTIES.items())


@pytest.mark.parametrize('folder', ['visualization', 'pseudo_labels/review'])
def test_markup_is_in_templates_alone(folder):
    for path in (ROOT / 'glip_mm' / folder).rglob('*.py'):
        assert not re.search(r'<(div|table|td|html|p|b|figure|span|details)\b[^>]*>',
                             path.read_text()), path


def test_percent():
    assert [percent(v) for v in (0.4567, 1, -1, None, float('nan'))] == [
        '45.7', '100.0', '–', '–', '–']
