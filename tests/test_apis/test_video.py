"""Videos: frames in order, broken ones alone lost, files complete or absent."""

import json
import os
import resource
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from glip_mm.apis import GroundingResult, Thresholds
from glip_mm.apis.window import frame_window
from glip_mm.models.bounded_cache import BoundedCache
from glip_mm.video import Tracker, VideoError, VideoReader, VideoWriter, detect_video
from tests import forked

REPOSITORY = Path(__file__).parents[2]
SIZE, COUNT, RATE = (64, 48), 30, 10


def write_video(path, count=COUNT, size=SIZE):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), RATE, size)
    for index in range(count):
        frame = np.full((size[1], size[0], 3), 40, np.uint8)
        frame[10:30, index:index + 20] = (0, 0, 220)
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp('video') / 'red.mp4')


class RedFinder:
    """Stands for an inferencer: finds what is red, by looking at the pixels."""
    palette = font = None
    thresholds = Thresholds()

    def __init__(self, fail=()):
        self.fail = fail

    def stream(self, frames, batch_size, pred_score_thr):
        good = 0
        for pixels in frames:
            x = int((pixels[..., 2] > 130).any(0).argmax())
            good += x not in self.fail
            yield None if x in self.fail else GroundingResult(
                np.array([[0, 0, 5, 5], [x, 10, x + 20, 30]], np.float32), np.array([.1, .9]),
                np.array([1, 0]), ['corner', 'red box'], None, None, SIZE,
                thresholds=pred_score_thr)
        if not good:
            raise ValueError('no image could be used')


def rows(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_frames_come_in_order_and_are_released(video):
    reader = VideoReader(video, every=7, ahead=2)
    assert (reader.rate, reader.count, reader.size) == (RATE, COUNT, SIZE)
    frames = list(reader)
    assert [f.index for f in frames] == [0, 7, 14, 21, 28] and frames[2].seconds == 1.4
    assert frames[3].pixels.shape == (48, 64, 3) and frames[3].pixels[20, 30, 2] > 150
    assert reader.broken == 0 and list(VideoReader(video))[-1].index == COUNT - 1


def test_leaving_early_ends_the_thread(video):
    frames = iter(VideoReader(video, ahead=1))
    assert next(frames).index == 0
    frames.close()  # would wait for ever


@pytest.mark.parametrize('content, message', [
    (b'', 'cannot be opened'), (b'no video at all' * 100, 'cannot be opened'),
    (None, 'is no file, no address')])
def test_what_is_no_video(content, message, tmp_path):
    if content is not None:
        (tmp_path / 'a.mp4').write_bytes(content)
    with pytest.raises((VideoError, FileNotFoundError), match=message):
        VideoReader(tmp_path / 'a.mp4')


def test_a_damaged_video_costs_its_damaged_frames(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 200, (160, 120))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle:middle + 400] = bytes(400)
    path.write_bytes(content)
    reader = VideoReader(path)
    read = list(reader)
    assert len(read) + reader.broken == 200 and len(read) > 185 and read[-1].index == 199
    path.write_bytes(content[:middle])  # cut off: the table of frames was at the end
    with pytest.raises(VideoError, match='cannot be opened'):
        VideoReader(path)


def test_everything_is_written(video, tmp_path):
    found = detect_video(RedFinder(), video, out=tmp_path / 'out.mp4', batch_size=4,
                         out_predictions=tmp_path / 'out.jsonl')
    assert (found.frames, found.broken, dict(found.boxes)) == (COUNT, 0, {'red box': COUNT})
    lines = rows(tmp_path / 'out.jsonl')
    assert [line['frame'] for line in lines] == list(range(COUNT))
    assert lines[12]['seconds'] == 1.2 and lines[12]['names'] == ['red box']
    assert abs(lines[12]['boxes'][0][0] - 12) <= 1 and 'tracks' not in lines[0]
    reader = VideoReader(tmp_path / 'out.mp4')
    # small frames are enlarged so that names can be read
    assert (reader.count, reader.rate, reader.size) == (COUNT, RATE, (320, 240))
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.jsonl', 'out.mp4']


def test_frames_that_fail_are_lost_alone(video, tmp_path, caplog):
    found = detect_video(RedFinder(fail=(5, 6, 20)), video, out=tmp_path / 'out.mp4', batch_size=4,
                         out_predictions=tmp_path / 'out.jsonl')
    assert found.frames == COUNT and 2 <= found.broken <= 3
    assert len(rows(tmp_path / 'out.jsonl')) == COUNT - found.broken
    assert VideoReader(tmp_path / 'out.mp4').count == COUNT  # they are there, without boxes
    with pytest.raises(ValueError, match='no image could be used'):
        detect_video(RedFinder(fail=range(64)), video, batch_size=4)


def test_nothing_above_the_threshold(video):
    found = detect_video(RedFinder(), video, pred_score_thr=.95, every=10)
    assert (found.frames, dict(found.boxes), found.best) == (3, {}, .9)


def test_an_interruption_keeps_what_was_found(video, tmp_path):
    class Interrupted(RedFinder):
        def stream(self, *args, **kwargs):
            yield from islice(super().stream(*args, **kwargs), 8)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect_video(Interrupted(), video, out=tmp_path / 'out.mp4',
                     out_predictions=tmp_path / 'out.jsonl')
    assert len(rows(tmp_path / 'out.jsonl')) == 8 == VideoReader(tmp_path / 'out.mp4').count
    with pytest.raises(RuntimeError):  # but a failure does not replace a file that was there
        detect_video(RedFinder(), video, out=tmp_path / 'out.mp4', show=fail)
    assert VideoReader(tmp_path / 'out.mp4').count == 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.jsonl', 'out.mp4']


def fail(picture):
    raise RuntimeError


def test_the_file_is_complete_or_absent(tmp_path):
    with pytest.raises(ValueError, match='must end in .mp4'):
        VideoWriter(tmp_path / 'a.avi', RATE)
    (tmp_path / '.a.parts').mkdir()
    (tmp_path / '.a.parts/silent.mp4').write_bytes(b'of a killed process')
    with VideoWriter(tmp_path / 'a.mp4', RATE) as writer:
        for shape in ((31, 41), (62, 80)):  # another size than the first, and odd ones
            writer.write(np.zeros((*shape, 3), np.uint8))
    reader = VideoReader(tmp_path / 'a.mp4')
    assert (reader.count, reader.size) == (2, (40, 30))
    assert [p.name for p in tmp_path.iterdir()] == ['a.mp4']


def test_memory_does_not_depend_on_the_length(tmp_path):
    path = write_video(tmp_path / 'long.mp4', 400, (640, 480))  # 370 MB of pixels
    detect_video(RedFinder(), path, every=40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert detect_video(RedFinder(), path, pred_score_thr=1.).frames == 400
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 60


@pytest.fixture
def byte_track(monkeypatch):
    """Stand in for the package: the number of a track is the half of the screen it is in."""
    class ByteTrackTracker:
        def __init__(self, **settings):
            assert settings['frame_rate'] == RATE and settings['track_activation_threshold'] == .3

        def update(self, found):
            found.tracker_id = np.where(found.confidence < .3, -1, found.xyxy[:, 0] >= 20)
            order = found.class_id[::-1]  # it may return them in another order
            return SimpleNamespace(class_id=order, tracker_id=found.tracker_id[::-1])

    monkeypatch.setitem(sys.modules, 'trackers', SimpleNamespace(ByteTrackTracker=ByteTrackTracker))
    monkeypatch.setitem(sys.modules, 'supervision', SimpleNamespace(Detections=SimpleNamespace))


def test_tracks(video, tmp_path, byte_track):
    found = detect_video(RedFinder(), video, track=True, out_predictions=tmp_path / 'out.jsonl')
    assert dict(found.tracks) == {'red box': 2}
    numbers = [line['tracks'] for line in rows(tmp_path / 'out.jsonl')]
    assert numbers[:15] == [[0]] * 15 and numbers[25:] == [[1]] * 5


def test_memory_does_not_depend_on_the_number_of_tracks(video, byte_track, monkeypatch):
    kept = []

    class Watched(BoundedCache):
        def put(self, *args):
            super().put(*args)
            kept.append(len(self))

    numbers = iter(range(10**6))
    monkeypatch.setattr('glip_mm.video.detection.KNOWN_TRACKS', 5)
    monkeypatch.setattr('glip_mm.video.detection.BoundedCache', Watched)
    monkeypatch.setattr(Tracker, '__call__', lambda self, boxes, scores: [None, next(numbers)])
    assert dict(detect_video(RedFinder(), video, track=True).tracks) == {'red box': COUNT}
    assert len(kept) == COUNT and max(kept) == 5


def test_tracks_need_a_package(video, monkeypatch):
    monkeypatch.setitem(sys.modules, 'trackers', None)
    monkeypatch.setitem(sys.modules, 'supervision', None)
    with pytest.raises(ImportError, match='pip install trackers'):
        detect_video(RedFinder(), video, track=True)


def test_the_real_tracker():
    pytest.importorskip('trackers')
    tracker = Tracker(RATE, .3)
    first = tracker(np.array([[0, 0, 20, 20], [50, 50, 80, 80]]), np.array([.9, .8]))
    assert first == [None, None]  # what is seen once is no track
    second = tracker(np.array([[51, 50, 81, 80], [2, 0, 22, 20]]), np.array([.9, .8]))
    third = tracker(np.array([[4, 0, 24, 20], [52, 50, 82, 80]]), np.array([.9, .8]))
    assert third == second[::-1] and sorted(second) == [0, 1]
    assert tracker(np.zeros((0, 4)), np.zeros(0)) == []


def test_the_demo(video, config, checkpoint, tmp_path):
    config.dump(tmp_path / 'nano.py')
    common = [tmp_path / 'nano.py', checkpoint, '-c', '--texts', 'red circle. box',
              '--device', 'cpu']
    env = {**os.environ, 'PYTHONPATH': str(REPOSITORY), 'MPLBACKEND': 'agg'}
    demo = REPOSITORY / 'demo' / 'video_demo.py'
    run = forked.run(demo, video, *common, '--every', 10, '--batch-size', 2, '--score-thr', 0,
                     '--out', tmp_path / 'o/out.mp4', '--out-predictions', tmp_path / 'out.jsonl',
                     env=env)
    assert run.returncode == 0, run.stderr
    assert [row['frame'] for row in rows(tmp_path / 'out.jsonl')] == [0, 10, 20]
    assert VideoReader(tmp_path / 'o/out.mp4').rate == 1 and '3 frames: ' in run.stderr
    for words, message in ((['--score-thr', 1, '--out', tmp_path / 'b.mp4'],
                            'nothing reached its threshold; the best score was 0.'),
                           ([], 'nothing would be kept'),
                           (['--show'], 'show needs a display'),
                           (['--out', tmp_path / 'b.avi'], 'must end in .mp4')):
        run = forked.run(demo, video, *common, '--every', 15, *words, env=env)
        assert message in run.stderr and 'Traceback' not in run.stderr, run.stderr


FFMPEG = '''#!/bin/sh
for last; do :; done
if [ -e "$0.fails" ]; then echo "no such codec" >&2; exit 1; fi
echo "$@" > "$0.words"
printf 'with sound' > "$last"
'''


def test_what_is_asked_of_ffmpeg(video, tmp_path, monkeypatch):
    program = tmp_path / 'bin/ffmpeg'
    program.parent.mkdir()
    program.write_text(FFMPEG)
    program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{program.parent}:{os.environ["PATH"]}')
    detect_video(RedFinder(), video, out=tmp_path / 'out.mp4')
    assert (tmp_path / 'out.mp4').read_text() == 'with sound'
    words = Path(f'{program}.words').read_text()
    assert f'-i {video} -map 0:v -map 1:a? -c:v copy -c:a aac -shortest' in words
    Path(f'{program}.fails').touch()  # the video is there, and the log says why it is silent
    said = []
    monkeypatch.setattr('mmengine.logging.MMLogger.warning', lambda self, text: said.append(text))
    detect_video(RedFinder(), video, out=tmp_path / 'out.mp4')
    assert VideoReader(tmp_path / 'out.mp4').count == COUNT
    assert said == [f"the sound of '{video}' is not kept: no such codec"]


def test_show_without_a_display_is_a_sentence(video, monkeypatch):
    monkeypatch.setattr('matplotlib.pyplot.get_backend', lambda: 'agg')
    with pytest.raises(ValueError, match='show needs a display'):  # OpenCV would abort
        frame_window()


def test_frames_in_a_window(monkeypatch):
    monkeypatch.setattr('matplotlib.pyplot.get_backend', lambda: 'TkAgg')
    shown, keys = [], iter([-1, ord('x'), ord('q'), 27])
    monkeypatch.setattr(cv2, 'namedWindow', lambda name: None)
    monkeypatch.setattr(cv2, 'imshow', lambda name, picture: shown.append(picture))
    monkeypatch.setattr(cv2, 'waitKey', lambda milliseconds: next(keys))
    show = frame_window()
    assert [show(number) for number in range(4)] == [True, True, False, False]
    assert shown == [0, 1, 2, 3]

    def headless(name):
        raise cv2.error('The function is not implemented')
    monkeypatch.setattr(cv2, 'namedWindow', headless)
    with pytest.raises(ValueError, match='opencv-python-headless'):
        frame_window()


def test_sound_is_kept_where_ffmpeg_is(video, tmp_path):
    if shutil.which('ffmpeg') is None:
        pytest.skip('no ffmpeg')
    loud = tmp_path / 'loud.mp4'
    subprocess.run(['ffmpeg', '-v', 'error', '-i', str(video), '-f', 'lavfi', '-i', 'sine',
                    '-shortest', str(loud)], check=True)
    detect_video(RedFinder(), loud, out=tmp_path / 'out.mp4')
    streams = subprocess.run(['ffmpeg', '-i', str(tmp_path / 'out.mp4')], capture_output=True,
                             text=True, check=False).stderr
    assert 'Audio:' in streams and 'Video:' in streams


def test_a_frame_has_no_more_pixels_than_an_image(video, monkeypatch):
    monkeypatch.setattr('PIL.Image.MAX_IMAGE_PIXELS', SIZE[0] * SIZE[1] // 2 - 1)
    with pytest.raises(VideoError, match='red.mp4.: a frame is said to be 64 x 48: .*smaller'):
        VideoReader(video)
    monkeypatch.setattr('PIL.Image.MAX_IMAGE_PIXELS', SIZE[0] * SIZE[1] // 2)
    assert VideoReader(video).size == SIZE


@pytest.mark.parametrize('option', ['out', 'out_predictions'])
def test_the_source_is_not_written_over(video, tmp_path, option):
    source = shutil.copy(video, tmp_path / 'a.mp4')
    before = Path(source).read_bytes()
    with pytest.raises(ValueError, match='a.mp4.* is read, and would be written over'):
        detect_video(RedFinder(), source, **{option: source})
    assert Path(source).read_bytes() == before and os.listdir(tmp_path) == ['a.mp4']
