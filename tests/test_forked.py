"""A forked program is to its caller what a subprocess is."""

import signal

import pytest

from . import forked


@pytest.mark.parametrize('end, status, message', [
    ('', 0, ''), ('sys.exit(3)', 3, ''), ('sys.exit("no room")', 1, 'no room'),
    ('raise ValueError(5)', 1, 'ValueError: 5'),
    ('import os, signal; os.kill(os.getpid(), signal.SIGKILL)', -9, '')])
def test_status_and_streams(end, status, message):
    done = forked.run('-c', f'import sys; print(*sys.argv, flush=True); {end}', 'a', 2)
    assert (done.returncode, done.stdout) == (status, '-c a 2\n')
    assert message in done.stderr


def test_folder_environment_and_modules(tmp_path):
    (tmp_path / 'mine.py').write_text('import os, sys\nprint(os.getcwd(), dict(os.environ))\n'
                                      'print([m for m in sys.modules if "glip_mm.models" in m])')
    (tmp_path / 'main.py').write_text('import mine\n')
    done = forked.run(tmp_path / 'main.py', cwd=tmp_path.parent, env=dict(A='b'))
    assert done.stdout.splitlines() == [f"{tmp_path.parent} {{'A': 'b'}}", '[]'], done.stderr


def test_a_running_program_gets_signals():
    program = forked.Program('-c', 'import time; print("begun", flush=True); time.sleep(600)')
    assert program.poll() is None
    program.send_signal(signal.SIGTERM)
    assert program.wait() == -signal.SIGTERM == program.poll()


def test_programs_of_a_program(tmp_path):
    (tmp_path / 'inner.py').write_text('import sys; print(sys.argv[1:], flush=True); sys.exit(4)')
    code = (f'import subprocess, sys; done = subprocess.run([sys.executable, '
            f'{str(tmp_path / "inner.py")!r}, "x"]); print(done.returncode)')
    assert forked.run('-c', code).stdout == "['x']\n4\n"
    # anything else is a real subprocess
    code = 'import subprocess, sys; subprocess.run([sys.executable, "-c", "print(7)"])'
    assert forked.run('-c', code).stdout == '7\n'
