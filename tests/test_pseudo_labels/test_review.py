"""A page and numbers of labels."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glip_mm.pseudo_labels.label_rows import LabelRows
from glip_mm.pseudo_labels.review import count_labels, make_review
from glip_mm.pseudo_labels.review.samples import read_label
from tests import forked
from tests.test_visualization.test_report.browser import look_at, open_browser

from .label_world import ROWS, write_labels, write_shard

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(labels):
    """A run with rejects."""
    (labels / 'rejects.jsonl').write_text(''.join(
        json.dumps(dict(filename=f'{i}.jpg', cause=cause)) + '\n'
        for i, cause in enumerate(['no box', 'no box', 'no <phrase>'])))
    return labels


def test_numbers(run):
    found = count_labels(LabelRows(run), progress=False)
    assert (found.rows, found.boxes, found.asked, found.unanswered) == (4, 7, 6, 1)
    dog, more = found.phrases['dog'], found.phrases['more']
    # 'a Dog' and 'the dog' of one caption: one caption, three boxes
    assert (dog.captions, dog.boxes, dog.without_box) == (1, 3, 0)
    assert dog.mean_score == pytest.approx((0.9 + 0.7 + 0.55) / 3)
    assert (more.captions, more.boxes, more.without_box) == (1, 0, 1)
    assert np.flatnonzero(found.box_scores).tolist() == [31, 50, 55, 61, 70, 80, 90]
    # regions ask one by one, images for all of theirs
    assert np.flatnonzero(found.phrase_scores).tolist() == [31, 50, 61, 70, 80, 90]
    assert np.flatnonzero(found.image_scores).tolist() == [31, 50, 80, 90]
    assert found.rejects == {'no box': 2, 'no <phrase>': 1}


def test_rejects_while_the_run_goes_on(labels):
    for shard in ('00000', '00001'):
        path = labels / 'rejects' / f'{shard}.jsonl'
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"filename": "x", "cause": "no box"}\n')
    assert count_labels(LabelRows(labels), progress=False).rejects == {'no box': 2}
    path.write_text('{"filename": "x", "cause": "no box"}\n{"filename')
    with pytest.raises(ValueError, match='00001.jsonl:2 is no JSON'):
        count_labels(LabelRows(labels), progress=False)


def test_a_sample_knows_all_phrases(run, images):
    sample = read_label(LabelRows(run)[0], images)
    assert sample.prompt.names == ['a Dog', 'the dog', 'a sofa', 'more']
    assert sample.labels.tolist() == [0, 1, 1, 2]
    assert sample.scores.tolist() == [0.9, 0.7, 0.55, 0.6123]
    assert sample.boxes[3].tolist() == [0, 30, 190.4, 120]


def test_files(run, images, tmp_path):
    page = make_review(run, images, tmp_path / 'out', samples=3, seed=1, progress=False)
    text = page.read_text()
    assert text.count('<figure>') == 3
    assert '<script' not in text
    for address in re.findall(r'(?:src|href)="([^"]*)"', text):
        assert address.startswith(('data:', '#')), address[:60]
    for word in ('no &lt;phrase&gt;', 'big puppy', '0.72', '4 images', 'sofa'):
        assert word in text, word
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert summary['images'] == 4 and summary['rejects'] == {'no box': 2, 'no <phrase>': 1}
    assert len(summary['sample']) == 3 and sum(summary['scores']['boxes']) == 7
    frequencies = {entry['phrase']: entry for entry in summary['frequencies']}
    assert frequencies['more'] == dict(phrase='more', captions=1, boxes=0, mean_score=None,
                                       no_box=1)
    with Image.open(tmp_path / 'out/contact_sheet.png') as sheet:
        assert sheet.format == 'PNG' and min(sheet.size) > 300
    assert {p.name for p in (tmp_path / 'out/figures').iterdir()} == {'scores.png', 'kept.png'}
    again = make_review(run, images, tmp_path / 'again', samples=3, seed=1, progress=False)
    assert json.loads((again.parent / 'summary.json').read_text())['sample'] == summary['sample']
    # the words of a phrase stand on the colour of its boxes, those without a box are grey
    whole = make_review(run, images, tmp_path / 'whole', progress=False).read_text()
    assert re.search(r'<mark [^>]*>a Dog</mark> and <mark [^>]*>the dog</mark>', whole)
    assert '<span class="none">more</span>' in whole


def test_shards_need_no_folder_of_images(images, tmp_path):
    write_shard(tmp_path / 'run/labels/0.tar', ROWS, images)
    text = make_review(tmp_path / 'run', None, tmp_path / 'out', progress=False).read_text()
    assert text.count('<figure>') == text.count('src="data:') == 4


def test_detection_rows(images, tmp_path):
    path = tmp_path / 'detection.jsonl'
    path.write_text(json.dumps(dict(
        filename='a/1.jpg', height=120, width=200, detection=dict(instances=[
            dict(bbox=[10, 20, 30, 40], label=3), dict(bbox=[50, 20, 90, 40], label=7)]))) + '\n')
    text = make_review(path, images, tmp_path / 'out', label_map={3: 'Dog', 7: 'cat'},
                       progress=False).read_text()
    assert re.search(r'<mark [^>]*>Dog</mark>', text) and '<svg' not in text
    text = make_review(path, images, tmp_path / 'bare', progress=False).read_text()
    assert re.search(r'<mark [^>]*>label 7</mark>', text)
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert [e['phrase'] for e in summary['frequencies']] == ['cat', 'dog']


def test_one_broken_image_spoils_nothing(run, images, tmp_path):
    (images / 'a/1.jpg').unlink()
    (images / 'a/2.jpg').write_bytes(b'broken')
    Image.new('RGB', (20, 20)).save(images / 'a/3.jpg')
    text = make_review(run, images, tmp_path / 'out', progress=False).read_text()
    assert text.count('class="error"') == 3
    assert '200 x 120' in text and "a/1.jpg&#39; is missing" in text
    (images / 'b/1.jpg').unlink()
    with pytest.raises(ValueError, match='none of 4 images can be shown'):
        make_review(run, images, tmp_path / 'none', progress=False)
    assert not (tmp_path / 'none/index.html').exists()


def test_a_broken_row_spoils_nothing(run, images, tmp_path):
    thin = json.loads(json.dumps(ROWS[2]))
    thin['grounding']['regions'][0]['bbox'] = [[5, 5, 5, 21]]
    write_labels(run, [*ROWS[:2], thin, {**ROWS[0], 'height': 'x'}, ROWS[3]])
    text = make_review(run, images, tmp_path / 'out', progress=False).read_text()
    assert text.count('class="error"') == 1 and 'height is &#39;x&#39;' in text
    assert '1 boxes (degenerate box)' in text and '1 rows (bad size)' in text
    summary = json.loads((tmp_path / 'out/summary.json').read_text())
    assert summary['left_out'] == {'boxes (degenerate box)': 1, 'rows (bad size)': 1}
    # the phrase that lost its box was asked for and not found
    assert {f['phrase']: f['no_box'] for f in summary['frequencies']}['cat'] == 1


def test_tool(run, images, tmp_path):
    def call(*arguments):
        return forked.run(ROOT / 'tools/analysis_tools/review_labels.py', *arguments, cwd=ROOT)
    done = call(run, '--images', images, '--out', tmp_path / 'out', '--samples', 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"review: {tmp_path / 'out/index.html'}" in done.stdout
    done = call(run, '--out', tmp_path / 'out')
    assert done.returncode == 1 and 'error: --images is needed' in done.stderr


@pytest.fixture(scope='module')
def browser():
    with open_browser() as opened:
        yield opened


@pytest.mark.parametrize('width, scheme, columns', [(390, 'dark', 1), (1440, 'light', 4)])
def test_page_in_a_browser(browser, images, tmp_path, width, scheme, columns):
    run = write_labels(tmp_path / 'long', [*ROWS[:3] * 4, *ROWS[2:]])
    page = make_review(run, images, tmp_path / 'out', progress=False)
    state = look_at(browser, page, width, scheme)
    assert state['images'] == 14 and len(state['plots']) == 2
    # one beneath the other on a phone
    assert state['columns'] == columns
