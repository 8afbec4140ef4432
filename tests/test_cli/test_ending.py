"""How tools end that are interrupted or cannot write."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from glip_mm_cli.ending import UNREAD

ROOT = Path(__file__).parents[2]
START = f'import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = "tools/some.py"\n' \
        'from glip_mm_cli.ending import end_clearly\nend_clearly()\n'


def end(code, **env):
    done = subprocess.run([sys.executable, '-c', START + code], capture_output=True, text=True,
                          env={**os.environ, **env})
    return done.returncode, done.stderr


@pytest.mark.parametrize('code, status, line', [
    ('raise KeyboardInterrupt', 130, 'some.py: interrupted'),
    ('raise KeyboardInterrupt("go on")', 130, 'some.py: interrupted: go on'),
    ('raise OSError(28, "No space left on device", "a.pth")', 1,
     "some.py: 'a.pth': No space left on device"),
    ('open("/dev/full", "w", 0 + 1).write("a" * 9999)', 1, 'some.py: No space left on device'),
    ('raise OSError(30, "Read-only file system", "a/b")', 1,
     "some.py: 'a/b': Read-only file system"),
    ('raise OSError("the folder is in use")', 1, 'some.py: the folder is in use')])
def test_one_line(code, status, line):
    assert end(code) == (status, line + '\n')


def test_a_name_that_is_not_utf_8_is_printed():
    assert end('print("gone\\udce9.jpg"); print("\\udce9", file=sys.stderr)') == (0, '\\udce9\n')


def test_of_a_job_one_process_says_that_it_was_interrupted():
    code = 'import os\nos.environ["GLIP_MM_SPEAKER"] = str(os.getpid())\nraise KeyboardInterrupt'
    assert end(code) == (130, 'some.py: interrupted\n')
    assert end('raise KeyboardInterrupt', GLIP_MM_SPEAKER='1') == (130, '')


@pytest.mark.parametrize('code, line', [
    ('raise ValueError("a word\\nmore")', 'some.py: a word\nmore'),
    ('import no_such', "some.py: No module named 'no_such'; run this, or see "
     'tools/misc/check_env.py')])
def test_errors_that_say_what_to_do(code, line):
    code = f'from glip_mm_cli.ending import one_message\nwith one_message("run this"): {code}'
    assert end(code) == (1, line + '\n')


def test_one_process_of_a_job_speaks():
    assert end('raise KeyboardInterrupt', RANK='1') == (130, '')


def test_other_errors_show_where_they_come_from():
    status, text = end('1 / 0')
    assert status == 1 and 'Traceback' in text and 'ZeroDivisionError' in text


@pytest.mark.parametrize('words', [
    [ROOT / 'tools/analysis_tools/report.py', '.'], ['-m', 'dev.speed.caption_sources'],
    [ROOT / 'tools/analysis_tools/benchmark_lvis_ap.py'],
    ['-c', "from glip_mm_cli.main import main; main(['report', '.'])"]])
def test_ctrl_c_while_a_tool_is_imported(tmp_path, words):
    # any module of the tool: here it can be waited for
    (tmp_path / 'glip_mm').mkdir()
    (tmp_path / 'glip_mm' / '__init__.py').write_text(
        f'import time\nopen({str(tmp_path / "here")!r}, "w")\ntime.sleep(60)\n')
    env = {**os.environ, 'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
    tool = subprocess.Popen([sys.executable, *words], cwd=tmp_path, text=True,
                            stderr=subprocess.PIPE, env=env,
                            # programs that a script starts in the background ignore it
                            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL))
    while not (tmp_path / 'here').exists() and tool.poll() is None:
        time.sleep(0.02)
    tool.send_signal(signal.SIGINT)
    _, said = tool.communicate()
    assert tool.returncode == 130
    *before, last = said.splitlines()
    assert last.endswith(': interrupted') and 'Traceback' not in said, said
    assert all(line.startswith('warning: ') for line in before), said


def test_ctrl_c_while_the_environment_is_checked(tmp_path):
    code = ('import runpy, subprocess, sys; sys.argv = ["check_env.py"]\n'
            'def run(*words, **options): raise KeyboardInterrupt\n'
            'subprocess.run = run\n'
            f'runpy.run_path({str(ROOT / "tools/misc/check_env.py")!r}, run_name="__main__")')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, 'check_env.py: interrupted\n')


@pytest.mark.parametrize('code', [
    'print("a" * 100000); print("b", flush=True)',  # in the program
    'print("a")',  # at its end
    'from glip_mm_cli.ending import one_message\n'
    'with one_message(): print("a" * 100000, flush=True)'])
def test_a_reader_that_went_away_is_no_error(code):
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([sys.executable, '-c', START + code], stdout=write,
                              stderr=subprocess.PIPE, text=True)
    finally:
        os.close(write)
    assert done.stderr == '' and done.returncode in (0, UNREAD)
