"""Label Studio's protocol, by requests as its version 1.23.2 sends them (label_studio/ml)."""

import base64
import os
import shutil

import numpy as np
import pytest

from glip_mm.serving.label_studio import Interface
from glip_mm.serving.settings import Refused

INTERFACE = '''<View>
  <Header value="Find them"/>
  <Choices name="kind" toName="picture"><Choice value="a"/></Choices>
  <Image name="picture" value="$photo" zoom="true"/>
  <RectangleLabels name="boxes" toName="picture">
    <Label value="red circle" background="#f00"/>
    <Label value="Container" alias="container" predicted_values="box, crate"/>
  </RectangleLabels>
</View>'''
ASKED = ['red circle', 'box', 'crate']
PROJECT = '7.1764547200'


def task(number, photo):
    """A task as TaskSimpleSerializer writes it."""
    return {'id': number, 'data': {'photo': photo}, 'meta': {},
            'created_at': '2026-11-30T10:00:00.000000Z',
            'updated_at': '2026-11-30T10:00:00.000000Z', 'is_labeled': False, 'overlap': 1,
            'inner_id': number, 'total_annotations': 0, 'cancelled_annotations': 0,
            'total_predictions': 0, 'comment_count': 0,
            'unresolved_comment_count': 0, 'last_comment_updated_at': None, 'project': 7,
            'updated_by': None, 'file_upload': None, 'comment_authors': [], 'annotations': [],
            'predictions': []}


def set_up(schema=INTERFACE):
    return {'project': PROJECT, 'schema': schema, 'hostname': 'http://localhost:8080',
            'access_token': '0123456789abcdef', 'extra_params': None}


def ask(*photos, label_config=INTERFACE):
    return {'tasks': [task(i, photo) for i, photo in enumerate(photos)], 'project': PROJECT,
            'label_config': label_config,
            'params': {'login': None, 'password': None, 'context': None}}


def url_of(path):
    with open(path, 'rb') as file:
        return 'data:image/png;base64,' + base64.b64encode(file.read()).decode()


def test_a_session(client, inferencer, pictures):
    app = client(max_batch=2)
    health = app.get('/health')
    assert health.status_code == 200 and health.json()['status'] == 'UP'
    version = app.post('/setup', json=set_up()).json()['model_version']
    assert version.startswith('nano, glip_mm ')
    paths = [f'{pictures}/{i}.png' for i in range(3)]
    answer = app.post('/predict', json=ask(*map(url_of, paths)))
    assert answer.status_code == 200 and answer.json()['model_version'] == version
    predictions = answer.json()['results']
    assert len(predictions) == 3
    for prediction, path in zip(predictions, paths):
        wanted = inferencer(path, ASKED)[0].shown
        regions = prediction['result']
        assert prediction['model_version'] == version and len(regions) == len(wanted) > 0
        np.testing.assert_allclose([region['score'] for region in regions], wanted.scores,
                                   atol=2e-4)
        assert prediction['score'] == min(region['score'] for region in regions)
        assert len({region['id'] for region in regions}) == len(regions)
        for region, box, name in zip(regions, wanted.boxes, wanted.names):
            assert (region['type'], region['from_name'], region['to_name']) == (
                'rectanglelabels', 'boxes', 'picture')
            assert (region['original_width'], region['original_height']) == wanted.size
            value = region['value']
            assert value['rectanglelabels'] == [
                'red circle' if name == 'red circle' else 'container']
            x, y = value['x'] * wanted.size[0] / 100, value['y'] * wanted.size[1] / 100
            corners = [x, y, x + value['width'] * wanted.size[0] / 100,
                       y + value['height'] * wanted.size[1] / 100]
            np.testing.assert_allclose(corners, box, atol=0.02)
    event = {'action': 'ANNOTATION_CREATED', 'project': {'id': 7}, 'annotation': {'id': 1}}
    assert app.post('/webhook', json=event).status_code == 200


def test_the_interface_of_the_setup_is_remembered(client, pictures):
    app, url = client(), url_of(f'{pictures}/0.png')
    request = ask(url, label_config=None)
    assert "no 'label_config'" in app.post('/predict', json=request).json()['error']
    assert app.post('/setup', json=set_up()).status_code == 200
    assert app.post('/predict', json=request).json()['results'][0]['result']


def test_images_below_the_media_root(client, pictures, tmp_path):
    root = tmp_path / 'media'
    (root / 'upload' / '7').mkdir(parents=True)
    shutil.copy(f'{pictures}/0.png', root / 'upload' / '7' / '0a1b2c3d-my photo.png')
    shutil.copy(f'{pictures}/1.png', root / 'one.png')
    shutil.copy(f'{pictures}/2.png', tmp_path / 'secret.png')
    os.mkfifo(root / 'pipe.png')
    app = client(media_root=root)
    found = app.post('/predict', json=ask(
        '/data/upload/7/0a1b2c3d-my%20photo.png', '/data/local-files/?d=one.png')).json()
    inline = app.post('/predict', json=ask(
        url_of(f'{pictures}/0.png'), url_of(f'{pictures}/1.png'))).json()
    assert found == inline and all(each['result'] for each in found['results'])
    hostile = ['/data/local-files/?d=../secret.png', f'/data/local-files/?d={tmp_path}/secret.png',
               '/data/upload/../../secret.png', '/data/upload/..%2f..%2f..%2fsecret.png',
               '/data/local-files/?d=pipe.png', '/data/local-files/?d=', '/data/local-files/?d=.',
               '/data/local-files/?d=none.png', f'{tmp_path}/secret.png', 'secret.png',
               'http://localhost/data/upload/7/a.png', 'file:///etc/passwd', 's3://a/b.png', 3]
    for photo in hostile:
        answer = app.post('/predict', json=ask(photo))
        assert answer.status_code == 422, photo
        assert 'media root' in answer.json()['error'] or 'is not read' in answer.json()['error']
    # beside a sound one it costs itself: no prediction, rather than an empty one
    results = app.post('/predict', json=ask(hostile[0], '/data/local-files/?d=one.png')).json()
    assert results['results'][0] == [] and results['results'][1]['result']
    answer = client().post('/predict', json=ask('/data/local-files/?d=one.png'))
    assert answer.status_code == 422 and '--media-root' in answer.json()['error']


@pytest.mark.parametrize('text, message', [
    (None, 'must be XML'), ('<View', 'is no XML'), ('<View/>', 'no RectangleLabels'),
    ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', 'without entities'),
    ('<View><Image name="i" value="$i"/><RectangleLabels name="b" toName="i"/></View>',
     'no RectangleLabels'),
    ('<View><Text name="i" value="$i"/><RectangleLabels name="b" toName="i"><Label value="a"/>'
     '</RectangleLabels></View>', 'for an Image'),
])
def test_interfaces_without_boxes(client, text, message):
    with pytest.raises(Refused, match=message):
        Interface.parse(text)
    answer = client().post('/setup', json=set_up(text))
    assert answer.status_code == 422 and message in answer.json()['error']


def test_requests_without_tasks(client, pictures):
    app = client()
    assert app.post('/predict', json=ask()).json()['results'] == []
    answer = app.post('/predict', json={**ask(), 'tasks': 'all'})
    assert answer.status_code == 422 and "'tasks' must be a list" in answer.json()['error']
    for one in ({'data': {}}, {'data': 3}, 3):
        answer = app.post('/predict', json={**ask(), 'tasks': [one]})
        assert answer.status_code == 422 and "'photo'" in answer.json()['error']


def test_an_exported_interface_is_understood():
    import xml.etree.ElementTree as ElementTree

    from glip_mm.pseudo_labels.export.label_studio import _interface
    text = ElementTree.tostring(_interface(['cup', 'a & b']), encoding='unicode')
    assert Interface.parse(text) == Interface('label', 'image', 'image',
                                              {'cup': 'cup', 'a & b': 'a & b'})
