"""The page, in a browser and attacked by another client; what it computes is in tests/test_web."""

import contextlib
import http.client
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest
from PIL import Image

from glip_mm.web import Example, Finder, Limits
from tests.test_finetuning.conftest import tiny  # noqa: F401
from tests.test_visualization.test_report.browser import open_browser
from tests.test_web.conftest import inferencer, photo  # noqa: F401

ROOT = Path(__file__).parents[2]


def test_without_a_trained_model_it_says_what_to_do(tmp_path):
    done = subprocess.run([sys.executable, ROOT / 'demo/web_demo.py'], cwd=tmp_path, text=True,
                          capture_output=True, env={'PYTHONPATH': str(ROOT)})
    assert done.returncode == 2
    assert "holds no trained model: run 'bash tools/quickstart.sh', or give a model" in done.stderr


@pytest.fixture
def address(inferencer, photo, tmp_path, monkeypatch):  # noqa: F811
    pytest.importorskip('gradio', reason='needs Gradio (pip install -r requirements/demo.txt)')
    from glip_mm.web import keep_files_in, make_page, open_page
    monkeypatch.chdir(tmp_path)  # Gradio allows files of the working directory
    monkeypatch.setenv('GRADIO_TEMP_DIR', '')
    keep_files_in(tmp_path / 'page')
    limits = Limits(1 << 20, 500 * 400, 1000)
    page = make_page(Finder(inferencer, tmp_path / 'files', limits),
                     [Example(photo, 'names', 'cat. dog'),
                      Example(photo, 'caption', 'a [dog] on [the sofa]')])
    yield open_page(page, port=0, size=limits.size)
    page.close(verbose=False)


@contextlib.contextmanager
def looked_at(address):
    """A page that complains of nothing and asks nobody else for anything."""
    with open_browser() as browser:
        page = browser.new_page(viewport=dict(width=1280, height=1000))
        page.set_default_timeout(180_000)  # of a crowded machine
        complaints, requests = [], []
        page.on('console', lambda m: complaints.append(m.text) if m.type == 'error' else None)
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.on('request', lambda request: requests.append(request.url))
        page.goto(address)
        page.get_by_role('button', name='Find').wait_for()
        yield page
        assert complaints == []
        strangers = [url for url in requests if not url.startswith((address, 'data:', 'blob:'))]
        assert strangers == []


class Shown:
    """What a page shows."""

    def __init__(self, page):
        self.page = page

    def find(self):
        self.page.get_by_role('button', name='Find').click()

    def picture(self, before=None):
        """Address of the drawn picture, once it is another one than before."""
        self.page.wait_for_function("""before => {
            const image = document.querySelector('#drawn img')
            return image && image.complete && image.naturalWidth && image.src !== before
        }""", arg=before)
        return self.page.locator('#drawn img').get_attribute('src')

    def set(self, slider, value):
        box = self.page.get_by_label(f'number input for {slider}')
        box.fill(value)
        box.press('Tab')

    def rows(self, count):
        body = self.page.locator('#boxes .virtual-body [role=row]')
        body.nth(count - 1).wait_for()
        return [row.split('\n') for row in body.all_inner_texts()]

    def upload(self, path):
        self.page.get_by_label('Remove Image').click()
        self.page.get_by_test_id('image').get_by_test_id('file-upload').set_input_files(path)
        self.page.get_by_label('Remove Image').wait_for()

    def download(self, name):
        with self.page.expect_download() as found:
            self.page.get_by_role('button', name=name).click()
        return found.value


def test_a_session(address, tmp_path):
    Image.new('RGB', (320, 200), (90, 120, 60)).save(tmp_path / 'green.png')
    Image.new('RGB', (501, 400)).save(tmp_path / 'large.png')
    with looked_at(address) as page:
        shown = Shown(page)
        page.get_by_label('Words').fill('red cup, plate')
        shown.find()
        nothing = shown.picture()
        assert 'the best score was' in page.locator('#summary').inner_text()
        shown.set('Boxes at most', '4')
        shown.set('Score from', '0')
        noise = shown.picture(nothing)
        rows = shown.rows(4)
        assert {row[0] for row in rows} <= {'red cup', 'plate'}
        coco = shown.download('Download COCO')
        assert coco.suggested_filename == 'my photo.coco.json'
        content = json.loads(Path(coco.path()).read_text())
        assert [round(box['score'], 3) for box in content['annotations']] == [
            float(row[1]) for row in rows]
        assert shown.download('Download YOLO').suggested_filename == 'my photo.yolo.zip'
        shown.upload(tmp_path / 'green.png')
        shown.find()
        green = shown.picture(noise)
        assert page.locator('#drawn img').evaluate('i => i.naturalWidth') == 320
        page.get_by_text('a [dog] on [the sofa]').click()
        shown.find()
        shown.picture(green)
        assert {row[0] for row in shown.rows(4)} <= {'dog', 'the sofa'}
        shown.upload(tmp_path / 'large.png')
        shown.find()
        page.get_by_text('the picture has 501 x 400 pixels, more than the 200,000').wait_for()


def asked(address, values, function):
    """What the page's server answers to values that no page would send."""
    place = urlparse(address).netloc
    client = http.client.HTTPConnection(place, timeout=60)
    body = dict(data=values, fn_index=function, session_hash='attack', event_data=None)
    client.request('POST', '/gradio_api/queue/join', json.dumps(body),
                   {'Content-Type': 'application/json'})
    joined = client.getresponse()
    assert joined.status == 200, joined.read()
    joined.read()
    client.request('GET', '/gradio_api/queue/data?session_hash=attack')
    for line in client.getresponse():
        message = json.loads(line.removeprefix(b'data: ')) if line.strip() else {}
        if message.get('msg') == 'process_completed':
            return message
    return None


def status(address, path, method='GET', body=None, headers=()):
    client = http.client.HTTPConnection(urlparse(address).netloc, timeout=60)
    client.request(method, path, body, dict(headers))
    return client.getresponse().status


def test_no_file_but_what_was_uploaded(address, tmp_path, photo):  # noqa: F811
    secret = tmp_path / 'secret.png'  # in the working directory, which Gradio would allow
    Image.new('RGB', (32, 32)).save(secret)
    for path in (secret, '/etc/passwd', tmp_path / 'page/../secret.png'):
        assert status(address, f'/gradio_api/file={path}') in (403, 404)
        message = asked(address, [dict(path=str(path), meta={'_type': 'gradio.FileData'}),
                                  'names', 'cat', '', 0, 9], 0)
        assert not message['success'], message
        assert 'not uploaded by a user' in str(message)
    message = asked(address, [dict(path='http://93.184.216.34/x.png',
                                   meta={'_type': 'gradio.FileData'}), 'names', 'cat', '', 0, 9], 0)
    assert 'addresses are not fetched' in str(message)
    message = asked(address, [dict(path=None, url='data:image/png;base64,AAAA',
                                   meta={'_type': 'gradio.FileData'}), 'names', 'cat', '', 0, 9], 0)
    assert 'give a picture first' in str(message)
    assert not list(tmp_path.glob('.gradio*')) and not list(tmp_path.glob('flagged'))


def test_large_uploads_are_refused(address):
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = part + bytes((1 << 20) + 1) + b'\r\n--x--\r\n'
    assert status(address, '/gradio_api/upload', 'POST', body,
                  {'Content-Type': 'multipart/form-data; boundary=x'}) == 413
