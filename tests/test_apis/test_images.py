"""Images through the test pipeline of a config."""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.apis import ImageError
from glip_mm.apis.images import ImagePipeline
from glip_mm.apis.inputs import list_images
from glip_mm.apis.outputs import OutputNames
from glip_mm.datasets.transforms.load_image import fetch
from glip_mm.text import Prompt
from glip_mm.visualization import save_image

STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='glip_mm.BuildPrompt', num_negatives=1),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_path', 'prompt')),
]


def pipeline(dataset: dict) -> ImagePipeline:
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return ImagePipeline(Config(dict(test_dataloader=dict(dataset=dataset))))


@pytest.fixture
def picture(tmp_path) -> Path:
    generator = np.random.default_rng(0)
    return save_image(tmp_path / 'a.jpg', generator.integers(0, 256, (64, 80, 3), dtype=np.uint8))


@pytest.mark.parametrize('dataset', [
    dict(pipeline=STEPS),
    dict(type='ConcatDataset', datasets=[dict(pipeline=STEPS), dict(pipeline=STEPS[::-1])]),
    dict(type='RepeatDataset', times=1, dataset=dict(pipeline=STEPS)),
])
def test_the_prompt_is_the_users(dataset, picture):
    # BuildPrompt would draw other classes and another order, and it needs annotations
    prompt = Prompt.from_names(['cat', 'dog', 'cow'])
    steps = pipeline(dataset)
    packed = steps.pack(steps.load(str(picture), 0), prompt)
    assert packed['data_samples'].prompt is prompt
    assert tuple(packed['inputs'].shape) == (3, 64, 80)


def test_cut_files_are_refused_whatever_the_decoder(picture, tmp_path):
    # OpenCV decodes what is there and leaves the rest grey
    cut = tmp_path / 'cut.jpg'
    cut.write_bytes(picture.read_bytes()[:3000])
    with pytest.raises(ImageError, match='cut.jpg.*truncated'):
        pipeline(dict(pipeline=STEPS)).load(str(cut), 0)


def test_a_pipeline_must_load(picture):
    with pytest.raises(ValueError, match='LoadImage'):
        pipeline(dict(pipeline=STEPS[1:]))


def test_folders_are_sorted_and_flat(picture, tmp_path):
    (tmp_path / 'notes.txt').write_text('no image')
    (tmp_path / 'deeper').mkdir()
    save_image(tmp_path / 'deeper' / 'c.png', np.zeros((4, 4, 3), np.uint8))
    other = save_image(tmp_path / 'B.PNG', np.zeros((4, 4, 3), np.uint8))
    assert list_images(tmp_path) == [str(other), str(picture)]
    assert list_images([picture, tmp_path]) == [str(picture), str(other), str(picture)]
    assert list_images('https://example.org/a.jpg') == ['https://example.org/a.jpg']
    with pytest.raises(ValueError, match='empty list'):
        list_images([])


def test_all_images_of_a_folder_are_found_and_the_rest_is_counted(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmengine.logging.MMLogger.warning', lambda self, text: said.append(text))
    for suffix in ('jpg', 'JPEG', 'jpe', 'jfif', 'png', 'gif', 'tif', 'TIFF', 'webp', 'bmp', 'ppm',
                   'pgm', 'avif', 'jp2'):
        PIL.Image.new('RGB', (9, 7), (100, 100, 100)).convert('L' if suffix == 'pgm' else 'RGB') \
            .save(tmp_path / f'{suffix}.{suffix}', format='PPM' if suffix == 'pgm' else None)
    steps = pipeline(dict(pipeline=STEPS))
    found = list_images(tmp_path)
    assert len(found) == 14 and said == []
    for path in found:
        assert np.abs(steps.load(path, 0)['img'].astype(int) - 100).max() <= 2
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'gone.jpg').symlink_to(tmp_path / 'nowhere.jpg')
    for name in ('a.heic', 'b.HEIC', 'notes.txt', 'README'):
        (tmp_path / name).write_text('')
    assert list_images(tmp_path) == found
    (line, ) = said
    assert line.startswith(f"'{tmp_path}': 14 images; left out as no images: 2 .")
    for part in ('2 .heic', '2 .jpg that is no regular file', '1 .png that', '1 .txt', '1 without'):
        assert part in line
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/a.heic').write_text('')
    with pytest.raises(ValueError, match='holds no image .*left out as no images: 1 .heic'):
        list_images(tmp_path / 'other')


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.jpg')
    steps = pipeline(dict(pipeline=STEPS))
    with pytest.raises(ImageError, match="a.jpg' can not be decoded: it is a pipe, not a file"):
        steps.load(str(tmp_path / 'a.jpg'), 0)
    with pytest.raises(ImageError, match='it is a device, not a file'):
        steps.load('/dev/zero', 0)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        steps.load(str(tmp_path / 'b.jpg'), 0)
    with pytest.raises(ImageError, match='given as bytes can not be decoded: the file is empty'):
        steps.load(b'', 0)


def test_every_output_has_its_name():
    names = OutputNames()
    paths = ['x/a.jpg', 'y/a.jpg', 'a.png', 'https://e.org/b%20c.webp?q=1', None, 'd.tiff',
             'https://e.org']
    assert [names(path, index) for index, path in enumerate(paths)] == [
        'a.jpg', 'a_1.jpg', 'a_2.png', 'b c.webp', '00000004.jpg', 'd.png', 'image.png']


def test_addresses_that_give_no_image():
    pages = {'/page': b'<html>log in</html>', '/cut': b'x' * 9, '/large': b'x' * 2000}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == '/file':
                self.send_response(302)
                self.send_header('Location', 'file:///etc/hostname')
            else:
                self.send_response(200)
                self.send_header('Content-Type',
                                 'text/html' if self.path == '/page' else 'image/png')
                if self.path == '/cut':
                    self.send_header('Content-Length', '99')
            self.end_headers()
            self.wfile.write(pages.get(self.path, b''))

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f'http://127.0.0.1:{server.server_port}'
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('GLIP_MM_MAX_IMAGE_BYTES', '1000')
            for path, message in (('page', 'a web page comes'), ('cut', 'ended after 9 of 99'),
                                  ('large', 'than 1,000 .GLIP_MM_MAX_IMAGE_BYTES'),
                                  ('file', 'file:///etc/hostname.* is not allowed')):
                with pytest.raises((OSError, ValueError), match=message):
                    fetch(f'{address}/{path}')
    finally:
        server.shutdown()
        server.server_close()


def test_addresses_of_another_kind(config):
    with pytest.raises(ImageError, match='an address begins with http://'):
        ImagePipeline(config).load('gopher://x', 0)
