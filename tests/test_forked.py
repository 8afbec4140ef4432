"""A forked program is to its caller what a subprocess is."""

import signal
import sys

import pytest

from . import forked, fresh


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
    done = forked.run_command([sys.executable, '-m', 'json.tool', '--help'], capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith('usage: '), done.stderr
    # anything else is a real subprocess
    code = 'import subprocess, sys; subprocess.run([sys.executable, "-c", "print(7)"])'
    assert forked.run('-c', code).stdout == '7\n'


def test_processes_of_a_job_meet():
    code = ('import torch.distributed as dist; dist.init_process_group("gloo"); '
            'print(dist.get_rank(), dist.get_world_size(), flush=True); dist.barrier(); '
            'dist.destroy_process_group()')
    assert [done.stdout for done in forked.run_job(2, '-c', code)] == ['0 2\n', '1 2\n']


@pytest.mark.parametrize('end, status, message', [
    ('', 0, ''), ('sys.exit(3)', 3, ''), ('1 / 0', 1, 'ZeroDivisionError: division by zero')])
def test_a_fresh_process_has_pytorch_alone(tmp_path, end, status, message):
    names = ('torch', 'mmengine', 'mmcv', 'mmdet', 'transformers', 'glip_mm', 'pytest')
    done = fresh.run(f'import os, sys\nprint([n for n in {names} if n in sys.modules], sys.argv)\n'
                     f'print(os.getcwd(), dict(os.environ))\n{end}', 'x', cwd=tmp_path,
                     env={'A': 'b'})
    assert done.stdout.splitlines() == ["['torch'] ['-c', 'x']", f"{tmp_path} {{'A': 'b'}}"]
    assert done.returncode == status and message in done.stderr
