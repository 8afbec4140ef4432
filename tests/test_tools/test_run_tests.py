"""``tools/run_tests.sh`` shares the tests among processes, and options given by hand win."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / 'tools' / 'run_tests.sh'


@pytest.fixture
def asked(tmp_path):
    """Runs the script with a Python that says what it is asked; returns variable and options."""
    (tmp_path / 'misc').mkdir()
    (tmp_path / 'misc/setup_env.sh').write_text(f'glip_mm_root={tmp_path} PATH={tmp_path}:$PATH\n')
    (tmp_path / 'python').write_text('#!/bin/sh\necho "$PYTEST_ADDOPTS"\necho "$@"\n')
    (tmp_path / 'python').chmod(0o755)
    shutil.copy2(SCRIPT, tmp_path)

    def run(*options, by_hand=''):
        return subprocess.run(
            ['bash', tmp_path / SCRIPT.name, *options], capture_output=True, text=True, check=True,
            env={**os.environ, 'PYTEST_ADDOPTS': by_hand}).stdout.splitlines()

    return run


def test_one_process_a_core(asked):
    variable, options = asked('-q', 'tests/test_text')
    assert '-n auto' in variable and '--dist worksteal' in variable
    assert options == '-m pytest -q tests/test_text'


def test_options_by_hand_come_later(asked):
    variable, options = asked('-n', '0', by_hand='-n 3')
    assert variable.split().index('auto') < variable.split().index('3')
    assert options == '-m pytest -n 0'


@pytest.mark.parametrize('options, by_hand', [
    (['-p', 'no:xdist'], ''), (['-pno:xdist'], ''), ([], '-p no:xdist')])
def test_without_the_plugin_its_options_are_unknown(asked, options, by_hand):
    assert asked(*options, by_hand=by_hand)[0] == by_hand
