import io
import logging
import os
import sys

import pytest

from glip_mm.datasets.data_error import DataError
from glip_mm.engine.hooks import progress_hook
from glip_mm.engine.hooks.progress_hook import Progress, clock, metric_lines
from glip_mm.engine.runner import (
    ScreenFormatter,
    ScreenMixin,
    is_for_the_screen,
    no_stderr,
    prints_to,
)


@pytest.fixture
def screen(monkeypatch, capsys):
    """What was shown, by a clock that each look advances by 40 seconds."""
    now = iter(range(0, 10_000, 40))
    monkeypatch.setattr(progress_hook, 'monotonic', lambda: next(now))
    return lambda: capsys.readouterr().err


def test_a_file_gets_a_line_at_each_tenth(screen):
    progress = Progress('training', 25)
    for step in range(25):
        progress.step(f'loss {step}')
    progress.close()
    lines = screen().splitlines()
    assert len(lines) == 10
    assert lines[0].startswith('training: 3/25, ') and lines[0].endswith(' left, loss 2')
    assert lines[-1].startswith('training: 25/25, ') and '0:00 left' in lines[-1]


def test_what_an_earlier_run_did_does_not_count_for_the_pace(screen):
    progress = Progress('training', 1000, done=899)
    progress.step()
    assert screen() == 'training: 900/1000, 40.00 s a step, 1:06:40 left\n'


def test_a_line_is_left_alone_for_a_while(screen, monkeypatch):
    monkeypatch.setattr(progress_hook, 'PAUSE', 100)
    progress = Progress('test', 10)
    for _ in range(10):
        progress.step()
    assert [line.split(',')[0] for line in screen().splitlines()] == [
        'test: 3/10', 'test: 6/10', 'test: 9/10', 'test: 10/10']


@pytest.mark.parametrize('total, steps', [(0, 1), (3, 3)])
def test_few_steps(screen, total, steps):
    progress = Progress('validation', total, lines=1)
    for _ in range(steps):
        progress.step()
    assert len(screen().splitlines()) == 1


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, 'stderr', terminal)
    progress = Progress('test', 4)
    progress.step('loss 1')
    progress.close()
    assert 'test:  25%' in terminal.getvalue() and 'loss 1' in terminal.getvalue()


def test_clock():
    assert [clock(seconds) for seconds in (0, 83.9, 3600)] == ['0:00', '1:23', '1:00:00']


def test_metrics_of_one_set_are_one_line():
    assert metric_lines({'seen/coco/AP': 0.51234, 'seen/coco/AP50': 1, 'loss': 2.5}) == [
        'seen/coco: AP 0.5123  AP50 1', 'metrics: loss 2.5']


def record(level, path, message=''):
    return logging.LogRecord('x', level, path, 1, message, None, None)


def test_what_the_screen_shows():
    ours, theirs = progress_hook.__file__, '/mmengine/runner/runner.py'
    assert is_for_the_screen(record(logging.INFO, ours))
    assert not is_for_the_screen(record(logging.INFO, theirs, 'Config: ...'))
    assert is_for_the_screen(record(logging.WARNING, theirs, 'no space left'))
    assert not is_for_the_screen(record(logging.WARNING, theirs, 'a is skipped since its '
                                        'requires_grad=False'))


def test_prints_go_to_the_log(caplog, capsys):
    logger = logging.getLogger('of this test')
    with caplog.at_level(logging.INFO), pytest.raises(RuntimeError), prints_to(logger):
        print('index created!')
        raise RuntimeError
    assert caplog.messages == ['index created!'] and capsys.readouterr().out == ''
    assert not is_for_the_screen(caplog.records[0])


def test_long_lists_and_notes_are_shortened_on_the_screen_alone():
    shown = ScreenFormatter(logging.Formatter('%(message)s'))
    names = [f'name {i}' for i in range(99)]
    text = f'3 of 99 classes have no boxes: {names}; rename them'
    warned = shown.format(record(logging.WARNING, '', text))
    assert len(warned) < 160 and warned.endswith("', ...]; rename them")
    assert shown.format(record(logging.WARNING, '', f'classes: {names[:3]}')).endswith("'name 2']")
    lines = '\n'.join([text] + ['x' * 500] * 9)
    note = shown.format(record(logging.INFO, 'glip_mm/evaluation/preflight/__init__.py', lines))
    assert len(shown.format(record(logging.INFO, progress_hook.__file__, lines))) > 4500
    assert note.splitlines()[1] == 'x' * 160 + '...'
    assert note.splitlines()[3:] == ['  ... 7 more lines in the log file']
    assert shown.format(record(logging.ERROR, '', text)) == text


def test_what_other_programs_say_is_dropped(capfd):
    with no_stderr():
        os.system('a-compiler-that-is-not-there')
    os.system('echo heard >&2')
    assert capfd.readouterr().err == 'heard\n'


@pytest.mark.parametrize('raised, said', [
    (KeyError(101), r'it is no checkpoint \(KeyError\(101\)\)'),
    (KeyError('missing: neck.a'), 'missing: neck.a'), (RuntimeError('no central directory'),
                                                       'no central directory')])
def test_a_checkpoint_that_cannot_be_loaded_is_named(raised, said):
    class Reader:
        logger = logging.getLogger('of this test')

        def load_checkpoint(self, filename):
            raise raised

    class OnScreen(ScreenMixin, Reader):
        def __init__(self):
            pass

    with pytest.raises(DataError, match=f"^checkpoint 'a.pth' cannot be loaded: {said}$"):
        OnScreen().load_checkpoint('a.pth')
