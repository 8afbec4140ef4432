"""Streams of this machine: those that end, break off, or never say anything; cameras."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from glip_mm.video import VideoError, VideoReader, detect_video

from .test_video import RedFinder, rows, write_video

COUNT = 12


def pictures():
    """JPEG files with a red box that moves."""
    for index in range(COUNT):
        frame = np.full((48, 64, 3), 40, np.uint8)
        frame[10:30, index:index + 20] = (0, 0, 220)
        yield cv2.imencode('.jpg', frame)[1].tobytes()


class Camera(BaseHTTPRequestHandler):
    """Sends pictures one after the other, as network cameras do."""

    def log_message(self, *words):
        """Say nothing."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == '/gone':
            return self.send_error(404)
        if self.path == '/silent':
            return self.server.over.wait(60)
        self.send_response(200)
        if self.path.endswith('.mp4'):
            content = (self.server.folder / self.path[1:]).read_bytes()
            self.send_header('Content-Length', str(len(content)))
            self.end_headers()
            return self.wfile.write(content)
        self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=frame')
        self.end_headers()
        for index, picture in enumerate(pictures()):
            if self.path == '/text':
                picture = b'hello'
            if self.path == '/damaged' and index in (0, 5, 6):
                picture = b'x' * 500
            length = len(picture)
            if self.path == '/broken-off' and index == 8:
                picture = picture[:length // 2]
            self.wfile.write(b'--frame\r\nContent-Type: image/jpeg\r\n'
                             b'Content-Length: %d\r\n\r\n%s' % (length, picture))
            if len(picture) < length:
                return None
            self.wfile.write(b'\r\n')
            if self.path == '/stalled' and index == 8:
                return self.server.over.wait(60)
        return None


@pytest.fixture(scope='module')
def camera(tmp_path_factory):
    """Server of streams, and its address."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), Camera)
    server.folder, server.over, server.asked = tmp_path_factory.mktemp('s'), threading.Event(), []
    write_video(server.folder / 'red.mp4', COUNT)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.address = f'http://127.0.0.1:{server.server_port}'
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_stream_is_read_to_its_end(camera, tmp_path):
    del camera.asked[:]
    reader = VideoReader(f'{camera.address}/all')
    assert (reader.count, reader.size) == (None, (64, 48))
    found = detect_video(RedFinder(), reader, out=tmp_path / 'out.mp4', batch_size=3,
                         out_predictions=tmp_path / 'out.jsonl')
    assert (found.frames, found.broken) == (COUNT, 0)
    assert [row['frame'] for row in rows(tmp_path / 'out.jsonl')] == list(range(COUNT))
    assert VideoReader(tmp_path / 'out.mp4').count == COUNT
    assert camera.asked == ['/all']  # once: some streams have one listener


def test_a_reader_has_its_own_distance_of_frames(camera, tmp_path):
    found = detect_video(RedFinder(), VideoReader(f'{camera.address}/all', 5), every=2,
                         out_predictions=tmp_path / 'out.jsonl')
    assert found.frames == 3
    assert [row['frame'] for row in rows(tmp_path / 'out.jsonl')] == [0, 5, 10]


def test_a_file_at_an_address(camera):
    reader = VideoReader(f'{camera.address}/red.mp4')
    assert reader.count == COUNT and len(list(reader)) == COUNT


def test_a_damaged_frame_of_a_stream_costs_that_frame(camera):
    reader = VideoReader(f'{camera.address}/damaged')
    frames = [frame.index for frame in reader]
    assert frames == [1, 2, 3, 4, *range(7, COUNT)] and reader.broken == 3


def test_a_stream_that_breaks_off(camera):
    reader = VideoReader(f'{camera.address}/broken-off')
    assert len(list(reader)) == 8 and reader.broken == 0


def test_a_stream_that_goes_silent(camera, monkeypatch, logged):
    reader = VideoReader(f'{camera.address}/all')
    grab, begun = reader._capture.grab, []

    class Stalled:
        """Stands for a capture, whose own patience is 30 seconds."""

        def grab(self):
            begun.append(time.monotonic())
            time.sleep(0.3 if len(begun) > 9 else 0)
            return len(begun) <= 9 and grab()

        retrieve, release = reader._capture.retrieve, reader._capture.release
    reader._capture = Stalled()
    monkeypatch.setattr('glip_mm.video.reading.PATIENCE', 0.2)
    assert len(list(reader)) == 9 and len(begun) == 10
    assert logged == [f"'{camera.address}/all' sent nothing for 0 seconds: it ends here"]


@pytest.mark.parametrize('path', ['/gone', '/text', ':1/x'])
def test_what_is_no_stream_is_one_sentence(camera, path):
    address = 'http://127.0.0.1:1/x' if path == ':1/x' else camera.address + path
    with pytest.raises(VideoError) as info:
        VideoReader(address)
    assert str(info.value).startswith(f"'{address}' cannot be opened as a video by OpenCV ")
    assert str(info.value).endswith(': nothing answers there, or it sends no video')


@pytest.mark.parametrize('number', ['77', '99999'])
def test_a_missing_camera_is_one_sentence(number, capfd):
    with pytest.raises(VideoError, match=f"'{number}' cannot be .*: there is no camera of this"):
        VideoReader(number)
    assert capfd.readouterr() == ('', '')  # OpenCV has several lines to say


def test_streams_that_never_answer_end(camera, monkeypatch):
    # 0.5 seconds; OpenCV alone waits for 30
    monkeypatch.setenv('OPENCV_FFMPEG_CAPTURE_OPTIONS', 'timeout;500000')
    with pytest.raises(VideoError, match='nothing answers there'):
        VideoReader(f'{camera.address}/silent')
    assert len(list(VideoReader(f'{camera.address}/stalled'))) == 9
