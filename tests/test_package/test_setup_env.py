"""The environment scripts, with a Python that only notes what it is asked to do."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTE = """#!/bin/bash
echo "$*" | tr '\\n' ' ' >> "{log}"; echo >> "{log}"
case "$*" in *"{failing}"*) [ -z "{failing}" ] || {{ echo 'no such thing' >&2; exit 1; }};; esac
case "$*" in -) echo 'somekey 0';; esac
"""


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / 'clone'
    (folder / 'tools' / 'misc').mkdir(parents=True)
    shutil.copytree(ROOT / 'requirements', folder / 'requirements')
    for name in ('setup.cfg', 'setup.py', 'tools/misc/setup_env.sh', 'tools/run_tests.sh',
                 'tools/quickstart.sh'):
        shutil.copy2(ROOT / name, folder / name)
    return folder


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def fake_venv(clone, failing=''):
    """An environment whose Python fails where the command line holds ``failing``."""
    log = clone / 'asked.log'
    script(clone / '.venv/bin/python', NOTE.format(log=log, failing=failing))
    return log


def run_tests(clone, *options, **env):
    environ = {key: value for key, value in os.environ.items()
               if not key.startswith(('GLIP_MM', 'VIRTUAL_ENV', 'PIP_'))}
    return subprocess.run(['bash', str(clone / 'tools/run_tests.sh'), *options], cwd='/',
                          capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**environ, **env})


def compiled(clone):
    """What asks for compiled operators."""
    return dict(GLIP_MM_MMCV='mmcv==2.1.0', GLIP_MM_CACHE=str(clone / 'cache'))


def test_scripts_parse():
    for file in [*ROOT.glob('tools/*.sh'), *ROOT.glob('tools/misc/*.sh'), ROOT / '.ci/run']:
        subprocess.run(['bash', '-n', file], check=True)


def test_a_finished_environment_is_used_at_once(clone):
    log = fake_venv(clone)
    done = run_tests(clone, '-q')
    assert done.returncode == 0, done.stderr
    first = log.read_text().split('\n')
    assert any('install' in line and 'runtime.txt' in line for line in first)
    assert first[-2].strip() == '-m pytest -q'
    log.unlink()
    assert run_tests(clone, '-x', 'tests/test_text').returncode == 0
    assert log.read_text().strip() == '-m pytest -x tests/test_text'


def test_nothing_is_compiled_by_default_and_little_is_shown(clone):
    log = fake_venv(clone)
    done = run_tests(clone, CXX='no-such-compiler')
    assert done.returncode == 0, done.stderr
    assert 'lite.txt' in log.read_text() and 'mminstall.txt' not in log.read_text()
    assert len(done.stdout.splitlines()) < 15


def test_the_end_of_pips_words_is_shown_if_it_fails(clone):
    fake_venv(clone, failing='lite.txt')
    done = run_tests(clone)
    assert done.returncode == 1
    assert 'no such thing' in done.stderr and 'setup.log' in done.stderr


def test_changed_requirements_are_installed(clone):
    log = fake_venv(clone)
    run_tests(clone)
    log.unlink()
    with open(clone / 'requirements' / 'runtime.txt', 'a') as file:
        file.write('six\n')
    run_tests(clone)
    assert 'runtime.txt' in log.read_text()


def test_an_interrupted_set_up_is_not_taken_for_finished(clone):
    fake_venv(clone, failing='runtime.txt')
    assert run_tests(clone).returncode != 0
    log = fake_venv(clone)
    log.unlink()
    assert run_tests(clone).returncode == 0
    assert 'runtime.txt' in log.read_text()


def test_an_incomplete_environment_is_reported(clone):
    fake_venv(clone, failing='check_env.py')
    done = run_tests(clone)
    assert done.returncode == 1
    assert 'is not complete: see the table above' in done.stderr


def test_torch_comes_first_and_is_held(clone):
    log = fake_venv(clone, failing='import torch; v =')
    done = run_tests(clone, GLIP_MM_TORCH='torch==2.4.1 --index-url somewhere')
    assert 'the torch that was installed cannot be imported' in done.stderr
    assert '-m pip install torch==2.4.1 --index-url somewhere' in log.read_text()
    assert (clone / '.venv' / 'constraints.txt').exists() is False


def test_the_environment_may_be_elsewhere(clone, tmp_path):
    fake_venv(clone)
    (clone / '.venv').rename(tmp_path / 'elsewhere')
    assert run_tests(clone, GLIP_MM_VENV=str(tmp_path / 'elsewhere')).returncode == 0
    assert not (clone / '.venv').exists()


def test_an_old_python_is_named(clone, tmp_path):
    script(tmp_path / 'old', '#!/bin/bash\n'
           '[ "$1" = --version ] && echo Python 3.8.1 || exit 1\n')
    done = run_tests(clone, GLIP_MM_PYTHON=str(tmp_path / 'old'))
    assert done.returncode == 1
    assert 'Python >= 3.10 is needed' in done.stderr and 'Python 3.8.1' in done.stderr
    assert 'GLIP_MM_PYTHON' in done.stderr


def test_no_compiler_is_said_before_compiling(clone):
    log = fake_venv(clone, failing='mmcv._ext')
    script(clone / '.venv/bin/python', (clone / '.venv/bin/python').read_text().replace(
        'case "$*" in -)', 'case "$*" in *only-binary*) exit 1;; -)'))
    done = run_tests(clone, CXX='no-such-compiler', **compiled(clone))
    assert done.returncode == 1
    assert "no C++ compiler ('no-such-compiler') was found" in done.stderr
    assert 'pip wheel' not in log.read_text()


def test_a_failed_compilation_shows_its_end(clone):
    log = fake_venv(clone, failing='mmcv._ext')
    script(clone / '.venv/bin/python', (clone / '.venv/bin/python').read_text().replace(
        'case "$*" in -)', 'case "$*" in *only-binary*) exit 1;; '
        '*"pip wheel"*) echo "ops.cpp: no memory left"; exit 1;; -)'))
    done = run_tests(clone, CXX='true', **compiled(clone))
    assert done.returncode == 1
    assert 'ops.cpp: no memory left' in done.stderr and 'setup.log' in done.stderr
    assert '--no-build-isolation' in log.read_text()
    assert not list((clone / 'cache').rglob('*.whl'))


def test_a_compiled_mmcv_is_kept(clone):
    log = fake_venv(clone)
    script(clone / '.venv/bin/python', NOTE.format(log=log, failing='').replace(
        'case "$*" in -)', 'case "$*" in *only-binary*) exit 1;; '
        '*"pip wheel"*) while [ "$1" != -w ]; do shift; done; touch $2/mmcv.whl;; '
        '*mmcv.whl*) touch "$0.has";; *mmcv._ext*) [ -e "$0.has" ] || exit 1;; -)'))
    done = run_tests(clone, CXX='true', **compiled(clone))
    assert done.returncode == 0, done.stderr
    assert [str(file.relative_to(clone)) for file in (clone / 'cache').rglob('*')
            if file.is_file()] == ['cache/wheels/somekey-mmcv__2.1.0/mmcv.whl']


def test_a_cached_mmcv_is_used_for_the_same_python_and_torch(clone):
    log = fake_venv(clone)
    # MMCV can be imported only once its cached wheel is installed
    script(clone / '.venv/bin/python', NOTE.format(log=log, failing='').replace(
        'case "$*" in -)', 'case "$*" in *mmcv.whl*) touch "$0.has";; '
        '*mmcv._ext*) [ -e "$0.has" ] || exit 1;; -)'))
    wheels = clone / 'cache' / 'wheels'
    other = wheels / 'otherkey-mmcv__2.1.0'
    mine = wheels / 'somekey-mmcv__2.1.0'
    for folder in (other, mine):
        folder.mkdir(parents=True)
        (folder / 'mmcv.whl').touch()
    done = run_tests(clone, **compiled(clone))
    assert done.returncode == 0, done.stderr
    assert str(mine / 'mmcv.whl') in log.read_text()
    assert str(other) not in log.read_text()


def test_quickstart_trains_once(clone):
    log = fake_venv(clone)
    work = clone / 'work_dirs' / 'quickstart'
    script(clone / '.venv/bin/python', (clone / '.venv/bin/python').read_text() + (
        'out=work_dirs/quickstart; case "$*" in tools/train.py*) mkdir -p $out; '
        'echo $out/epoch_4.pth > $out/last_checkpoint; '
        "printf 'PK\\5\\6%18s' | tr ' ' '\\0' > $out/epoch_4.pth; "  # an empty zip file
        'touch $out/training_cost.json;; '
        f'*glip_mm_cli.training_folder*) exec {sys.executable} "$@";; '
        'tools/test.py*) mkdir -p $out/test;; esac\n'))
    config = clone / 'configs/quickstart/glip_nano_grounding-world.py'
    config.parent.mkdir(parents=True)
    config.touch()

    def steps():
        log.unlink(missing_ok=True)
        done = subprocess.run(['bash', clone / 'tools/quickstart.sh'], capture_output=True,
                              text=True, env={**os.environ, 'GLIP_MM_VENV': '',
                                               'PYTHONPATH': str(ROOT)})
        assert done.returncode == 0, done.stderr
        return [line.split()[0] for line in log.read_text().splitlines()
                if line.startswith('tools/')]

    world, train, test, report = (
        'tools/misc/make_grounding_world.py', 'tools/train.py', 'tools/test.py',
        'tools/misc/quickstart_report.py')
    assert steps() == [world, train, test, report]
    assert steps() == [world, report]
    (work / 'training_cost.json').unlink()  # as after an interruption
    assert steps() == [world, train, test, report]
    assert '--resume auto' in log.read_text()
    (work / 'last_checkpoint').unlink()  # as a process that was killed leaves it
    assert steps() == [world, report]
    (work / 'epoch_4.pth').write_bytes(b'half')
    assert steps() == [world, train, test, report]
    config.write_text('changed = True')
    (work / 'epoch_3.pth').touch()
    assert steps() == [world, train, test, report]
    assert not (work / 'epoch_3.pth').exists()  # it would be resumed from


@pytest.mark.parametrize('load, cores, given, threads', [
    ('0.31, 1.50, 1.92', 2, None, 2),
    ('0.51, 0.20, 0.10', 2, None, 1),  # a busy process needs one of the two cores
    ('7.00, 7.00, 7.00', 64, None, 2),
    ('70.1, 7.00, 7.00', 64, None, 1),
    ('1.20 1.50 1.92', 2, None, 1),  # as macOS writes it
    ('0.10, 0.10, 0.10', 1, None, 1),
    ('9.00, 9.00, 9.00', 2, '3', 3),
])
def test_quickstart_takes_a_second_thread_where_two_cores_are_idle(
        clone, load, cores, given, threads):
    script(clone / '.venv/bin/python', '#!/bin/bash\n'
           'case "$*" in tools/misc/make_grounding_world.py*) '
           'echo "threads $OMP_NUM_THREADS"; exit 1;; esac\n')
    script(clone / 'bin/uptime',
           f"#!/bin/bash\necho ' 18:08 up 6:37, 1 user, load average: {load}'\n")
    script(clone / 'bin/nproc', f'#!/bin/bash\necho {cores}\n')
    environ = {key: value for key, value in os.environ.items()
               if key not in ('OMP_NUM_THREADS', 'GLIP_MM_VENV')}
    if given:
        environ['OMP_NUM_THREADS'] = given
    done = subprocess.run(['bash', clone / 'tools/quickstart.sh'], capture_output=True, text=True,
                          env={**environ, 'PATH': f"{clone / 'bin'}:{environ['PATH']}"})
    assert f'threads {threads}\n' in done.stdout, done.stderr
