"""The service over HTTP: the inferencer's numbers, and clear refusals."""

import base64
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from glip_mm.serving.running import check_start
from glip_mm.serving.settings import ServerSettings

NAMES = ['red circle', 'box']


def content(pictures, index=0):
    with open(f'{pictures}/{index}.png', 'rb') as file:
        return file.read()


def posted(client, image, **fields):
    return client.post('/detect', json={'image': base64.b64encode(image).decode(), **fields})


def assert_same(found, result):
    """Compare an answer with a result of the inferencer."""
    wanted = result.shown.to_dict()
    assert found['names'] == wanted['names'] and found['labels'] == wanted['labels']
    assert found['caption'] == wanted['caption']
    assert (found['width'], found['height']) == (wanted['width'], wanted['height'])
    # batches round differently in the last bits
    np.testing.assert_allclose(found['boxes'], wanted['boxes'], atol=0.02)
    np.testing.assert_allclose(found['scores'], wanted['scores'], atol=2e-4)
    assert len(found['boxes']) > 0


def test_a_file_and_base64_give_the_inferencers_numbers(client, inferencer, pictures):
    app = client()
    image = content(pictures)
    result = inferencer(image, NAMES, pred_score_thr=0)[0]
    by_json = posted(app, image, names=NAMES, threshold=0)
    assert by_json.status_code == 200
    assert_same(by_json.json(), result)
    url = 'data:image/png;base64,' + base64.b64encode(image).decode()
    by_form = app.post('/detect', files={'image': image}, data={'names': NAMES, 'threshold': '0'})
    by_url = app.post('/detect', json={'image': url, 'names': NAMES, 'threshold': 0})
    assert by_form.json() == by_json.json() == by_url.json()
    assert set(by_json.json()) == {'boxes', 'scores', 'labels', 'names', 'caption', 'width',
                                   'height'}


def test_captions_negatives_and_thresholds(client, inferencer, pictures):
    app, image = client(), content(pictures)
    caption, spans = 'a red circle in a box', [[[0, 12]], [[16, 21]]]
    found = posted(app, image, caption=caption, spans=spans, threshold=0).json()
    assert_same(found, inferencer(image, caption, spans=spans, pred_score_thr=0)[0])
    form = app.post('/detect', files={'image': image}, data={
        'caption': caption, 'spans': json.dumps(spans), 'threshold': '0'}).json()
    assert form == found
    found = posted(app, image, names=NAMES, negatives=['blue star'], threshold=0).json()
    assert_same(found, inferencer(image, NAMES, negatives=['blue star'], pred_score_thr=0)[0])
    for threshold in (0.65, {'box': 0.1, 'red circle': 0.66}, None):
        few = posted(app, image, names=NAMES, threshold=threshold).json()
        assert_same(few, inferencer(image, NAMES, pred_score_thr=threshold)[0])
        assert threshold is None or len(few['boxes']) < 20


def test_whatever_the_batches(client, inferencer, pictures):
    app = client(max_batch=4, max_wait=200, max_queue=100)
    images = [content(pictures, index) for index in range(3)]
    buffer = io.BytesIO()
    Image.open(io.BytesIO(images[0])).crop((0, 0, 100, 60)).save(buffer, format='PNG')
    images.append(buffer.getvalue())  # of another size
    prompts = [NAMES, ['box'], ['cat', 'blue star', 'box', 'dog'], ['a']]
    asked = [(image, names) for image in images for names in prompts]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda one: posted(app, one[0], names=one[1], threshold=0), asked))
    for (image, names), answer in zip(asked, answers):
        assert_same(answer.json(), inferencer(image, names, pred_score_thr=0)[0])
    lines = dict(line.rsplit(' ', 1) for line in app.get('/metrics').text.splitlines()
                 if not line.startswith('#'))
    assert lines['glip_mm_images_total'] == '16' and int(lines['glip_mm_batches_total']) < 16
    assert lines['glip_mm_requests_total{path="/detect",status="200"}'] == '16'
    assert lines['glip_mm_request_seconds_bucket{le="+Inf"}'] == '16'
    assert lines['glip_mm_requests_in_work'] == '0'


@pytest.mark.parametrize('fields, message', [
    ({}, "either 'names', a list, or 'caption'"),
    (dict(names=NAMES, caption='a'), "either 'names'"),
    (dict(names='cat'), "'names' must be a list of texts, got 'cat'"),
    (dict(names=[]), 'the list of class names is empty'),
    (dict(names=[1]), "'names' must be a list of texts"),
    (dict(caption=3), "'caption' must be a text, got 3"),
    (dict(caption='a cat', spans=[[[0, 99]]]), '99'),
    (dict(names=NAMES, negatives=['box']), 'a name is wanted or a negative'),
    (dict(names=NAMES, threshold=2), 'give a number from 0 to 1'),
    (dict(names=NAMES, threshold=float('nan')), 'give a number from 0 to 1'),
    (dict(names=NAMES, threshold={'bix': 0.4}), "'threshold' has one of 'bix', which is not"),
    (dict(names=NAMES, path='/etc/passwd'), "unknown fields ['path']"),
    (dict(names=[str(i) for i in range(11)]), '11 names are more than the 10'),
])
def test_wrong_fields(client, pictures, fields, message):
    body = json.dumps({'image': base64.b64encode(content(pictures)).decode(), **fields})
    answer = client(max_names=10).post('/detect', content=body)
    assert answer.status_code == 422 and message in answer.json()['error']


@pytest.mark.parametrize('image, message', [
    (None, "'image' must be an image in base64"), ('', "'image' must be an image in base64"),
    ('/etc/passwd', 'files and addresses are not read'),
    ('https://example.com/a.png', 'files and addresses are not read'),
    ('file:///etc/passwd', 'files and addresses are not read'),
    ('data:image/png,abc', 'must hold an image in base64'),
    (base64.b64encode(b'no image').decode(), 'can not be decoded'),
])
def test_what_is_no_image(client, image, message):
    answer = client().post('/detect', json={'image': image, 'names': NAMES})
    assert answer.status_code == 422 and message in answer.json()['error']


def test_bodies_that_are_none(client, pictures):
    app = client()
    for body in (b'', b'{', b'[1]', b'[' * 100_000):
        answer = app.post('/detect', content=body)
        assert answer.status_code == 422 and 'JSON' in answer.json()['error']
    kind = {'content-type': 'multipart/form-data; boundary=x'}
    for body in (b'', b'nonsense', b'--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--'):
        assert app.post('/detect', content=body, headers=kind).status_code == 422
    answer = app.post('/detect', content=b'', headers={'content-type': 'multipart/form-data'})
    assert answer.status_code == 422
    form = app.post('/detect', data={'names': NAMES}, files={'names': b'x'})
    assert form.status_code == 422 and 'not a file' in form.json()['error']
    form = app.post('/detect', data={'image': 'a.png', 'names': 'x'}, files={'b': ('', b'')})
    assert form.status_code == 422
    image = content(pictures)
    cut = posted(app, image[:len(image) // 2], names=NAMES)
    assert cut.status_code == 422 and 'can not be decoded' in cut.json()['error']


def test_sizes(client, pictures):
    image = content(pictures)
    small = client(max_pixels=1000)
    answer = posted(small, image, names=NAMES)
    assert answer.status_code == 413 and 'at most 1000 are taken' in answer.json()['error']
    short = client(max_bytes=100)
    for answer in (posted(short, image, names=NAMES),
                   short.post('/detect', content=iter([b'x' * 60, b'x' * 60])),
                   short.post('/detect', files={'image': image}, data={'names': 'a'})):
        assert answer.status_code == 413 and '100 bytes' in answer.json()['error']


def test_large_forms_make_no_file(client, pictures, monkeypatch):
    import tempfile
    monkeypatch.setattr(tempfile, '_TemporaryFileWrapper', None)
    monkeypatch.setattr(tempfile, 'TemporaryFile', None)  # what a spooled file becomes
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format='PNG')
    assert len(buffer.getvalue()) > 1_500_000
    answer = client().post('/detect', files={'image': buffer.getvalue()}, data={'names': NAMES})
    assert answer.status_code == 200


class Held:
    """Lets the model wait."""

    def __init__(self, monkeypatch):
        import glip_mm.serving.service as service
        self.go, self.begun, detect = threading.Event(), threading.Event(), service.detect

        def waiting(*args):
            self.begun.set()
            assert self.go.wait(60)
            return detect(*args)
        monkeypatch.setattr(service, 'detect', waiting)


def test_too_many_requests_are_told_to_come_back(client, pictures, monkeypatch):
    held, image = Held(monkeypatch), content(pictures)
    app = client(max_queue=2)
    with ThreadPoolExecutor(2) as pool:
        first = [pool.submit(posted, app, image, names=NAMES) for _ in range(2)]
        assert held.begun.wait(60)
        while 'glip_mm_requests_in_work 2' not in app.get('/metrics').text:
            pass
        answer = posted(app, image, names=NAMES)
        assert answer.status_code == 503 and answer.headers['retry-after'] == '1'
        assert app.get('/health').status_code == 200
        held.go.set()
        assert [one.result().status_code for one in first] == [200, 200]
    assert posted(app, image, names=NAMES).status_code == 200


def test_time_is_limited(client, pictures, monkeypatch):
    held = Held(monkeypatch)
    app = client(timeout=0.2)
    answer = posted(app, content(pictures), names=NAMES)
    assert answer.status_code == 504 and 'no answer within 0.2 seconds' in answer.json()['error']
    held.go.set()
    assert 'glip_mm_requests_in_work 0' in app.get('/metrics').text


def test_a_failing_model_is_no_secret(client, pictures, monkeypatch):
    import glip_mm.serving.service as service
    broken = client()

    def fail(*args):
        raise RuntimeError('no memory at 0x123')
    monkeypatch.setattr(service, 'detect', fail)
    answer = posted(broken, content(pictures), names=NAMES)
    assert answer.status_code == 500 and '0x123' not in answer.text
    monkeypatch.undo()
    assert posted(broken, content(pictures), names=NAMES).status_code == 200


def test_a_token(client, pictures):
    app, image = client(token='s3cret'), content(pictures)
    assert app.get('/health').status_code == 200
    assert app.get('/metrics').status_code == 401
    basic = base64.b64encode(b'anyone:s3cret').decode()
    for header, status in (('', 401), ('Bearer s3cre', 401), ('Bearer s3cret', 200),
                           (f'Basic {basic}', 200), ('Basic s3cret', 401), ('Basic ä', 401)):
        answer = app.post('/detect', files={'image': image}, data={'names': NAMES},
                          headers={'authorization': header.encode('latin-1')})
        assert answer.status_code == status, header
    # with one, any name of the machine is right
    assert app.get('/health', headers={'host': 'gpu.example.com'}).status_code == 200


def test_pages_of_other_names_do_not_reach_it(client):
    app = client()
    assert app.get('/health').json()['status'] == 'UP'
    assert app.get('/health', headers={'host': 'evil.example.com'}).status_code == 400
    assert app.get('/health', headers={'host': '[::1]:8000'}).status_code == 200
    assert app.get('/docs').status_code == 404


@pytest.mark.parametrize('host, open_', [
    ('127.0.0.1', True), ('127.3.0.1', True), ('::1', True), ('localhost', True),
    ('0.0.0.0', False), ('::', False), ('192.168.0.2', False), ('gpu.example.com', False)])
def test_who_may_be_bound_without_a_token(host, open_):
    pytest.importorskip('uvicorn', reason='needs requirements/serve.txt')
    check_start(host, 'token')
    if open_:
        check_start(host, None)
    else:
        with pytest.raises(ValueError, match='GLIP_MM_TOKEN'):
            check_start(host, None)


def test_a_missing_package_is_one_sentence(monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, 'fastapi', None)
    with pytest.raises(ImportError, match=r'pip install glip_mm\[serve\]'):
        check_start('127.0.0.1', None)


def test_limits_are_checked(tmp_path):
    for settings, message in ((dict(max_batch=0), 'max_batch=0 must be positive'),
                              (dict(max_wait=-1), 'max_wait=-1'), (dict(token=' '), 'empty')):
        with pytest.raises(ValueError, match=message):
            ServerSettings(**settings)
    with pytest.raises(FileNotFoundError, match='is no folder'):
        ServerSettings(media_root=tmp_path / 'none')


def test_a_misspelt_field_of_a_form_is_named(client, pictures):
    answer = client().post('/detect', files={'image': content(pictures)}, data={'name': 'cup'})
    assert answer.status_code == 422 and "unknown fields ['name']" in answer.json()['error']


@pytest.mark.parametrize('method, path, status', [
    ('GET', '/detect', 405), ('GET', '/nothing', 404), ('POST', '/health', 405)])
def test_what_is_not_answered_is_one_sentence(client, method, path, status):
    answer = client().request(method, path)
    assert answer.status_code == status and answer.json() == {
        'error': f"'{method} {path}' is not answered: POST /detect, GET /health and GET /metrics "
                 'are'}
