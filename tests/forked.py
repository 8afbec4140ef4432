"""Programs in processes that are forked from one with PyTorch and MMDetection already imported.

Importing them takes seconds, many times what most tools do in a test. The rest is as with
``subprocess``: each program has a process of its own, with its own arguments, folder, environment,
streams, exit status and signals. Of glip_mm only the package itself is imported beforehand: a
program that does not import what it uses of it fails here too.
"""

import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from dev.scripts import Word, execute

ROOT = Path(__file__).parents[1]
IMPORTED = ['glip_mm', 'mmengine.runner', 'mmdet.apis', 'mmdet.datasets.transforms',
            'mmdet.evaluation', 'mmdet.models', 'mmdet.visualization', 'matplotlib.pyplot',
            'transformers.models.bert.modeling_bert', 'transformers.models.auto.modeling_auto',
            'pyarrow']


def context() -> BaseContext:
    """Context of multiprocessing whose processes are forked from one that imported ``IMPORTED``."""
    import pytest

    forked = multiprocessing.get_context('forkserver')
    forked.set_forkserver_preload(IMPORTED)
    with pytest.MonkeyPatch.context() as patch:
        # all that the server knows of the paths of the tests
        patch.setenv('PYTHONPATH', str(ROOT), prepend=os.pathsep)
        forkserver.ensure_running()
    return forked


class Program:
    """A running script, or what follows ``-c`` or ``-m``.

    Args:
        words: Script and its arguments.
        cwd: Folder to run in. Default: that of the tests.
        env: Environment. Default: that of the tests.
    """

    def __init__(self, *words: Word, cwd: str | Path | None = None,
                 env: Mapping[str, str] | None = None) -> None:
        self._streams = tempfile.TemporaryDirectory()
        self._process = context().Process(target=begin, args=(
            [str(word) for word in words], str(cwd or Path.cwd()),
            dict(os.environ if env is None else env), self._streams.name))
        self._process.start()

    def poll(self) -> int | None:
        """Exit status, negative if a signal ended it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        self._process.join()
        return self._process.exitcode

    def communicate(self) -> tuple[str, str]:
        """Wait for the end and return what was written to standard output and error."""
        self.wait()
        out, err = (Path(self._streams.name, name).read_text() for name in ('1', '2'))
        return out, err


def run(*words: Word, **options: Any) -> subprocess.CompletedProcess:
    """Run a program to its end. Takes what ``Program`` takes."""
    program = Program(*words, **options)
    out, err = program.communicate()
    return subprocess.CompletedProcess(words, program.wait(), out, err)


def run_command(command: Sequence[Word], *, cwd: str | Path | None = None,
                env: Mapping[str, str] | None = None, capture_output: bool = False,
                text: bool = True) -> subprocess.CompletedProcess:
    """Stand for ``subprocess.run`` of a Python program."""
    assert command[0] == sys.executable and text
    done = run(*command[1:], cwd=cwd, env=env)
    if not capture_output:
        print(done.stdout, end='', flush=True)
        print(done.stderr, end='', file=sys.stderr, flush=True)
    return done


def run_job(count: int, *words: Word, cwd: str | Path | None = None,
            env: Mapping[str, str] | None = None) -> list[subprocess.CompletedProcess]:
    """Run a program in processes that know of each other as those of ``torchrun`` do."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    shared = {**(os.environ if env is None else env), 'MASTER_ADDR': '127.0.0.1',
              'MASTER_PORT': str(port), 'WORLD_SIZE': str(count), 'LOCAL_WORLD_SIZE': str(count)}
    programs = [Program(*words, cwd=cwd, env={**shared, 'RANK': str(i), 'LOCAL_RANK': str(i)})
                for i in range(count)]
    return [subprocess.CompletedProcess(words, program.wait(), *program.communicate())
            for program in programs]


def begin(words: Sequence[str], cwd: str, env: Mapping[str, str], streams: str) -> None:
    """Run a program as this process, with files ``1`` and ``2`` in a folder as its streams."""
    import torch
    for number in (1, 2):
        with open(f'{streams}/{number}', 'wb') as file:
            os.dup2(file.fileno(), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    torch.set_num_threads(int(env.get('OMP_NUM_THREADS', torch.get_num_threads())))
    # without what tests added to find their own modules
    outside = [path for path in sys.path if ROOT not in (Path(path), *Path(path).parents)
               or Path(sys.prefix) in Path(path).parents]  # an environment inside the clone
    sys.path[:] = ['', *filter(None, env.get('PYTHONPATH', '').split(os.pathsep)), *outside]
    execute(words)
