"""A job in a process group of its own that is killed at a chosen moment."""

import gc
import mmap
import multiprocessing.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import torch

from dev.scripts import Word, execute

#: Events of the interpreter that change the file system, beside opening a file for writing.
CHANGES = frozenset(['os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.link', 'os.truncate'])
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
#: Numbers that all processes of a job share.
_CHANGED, _READ, _FIRED, _BEGUN = range(4)


class Kill(NamedTuple):
    """When a job gets a signal.

    Attributes:
        signal: Name of the signal that the whole process group gets.
        change: Before which change of the file system; 0: by the clock.
        seconds: How long after the start.
        real: Whether it hits the command line itself, in a process that imports everything.
    """

    signal: str = 'SIGKILL'
    change: int = 0
    seconds: float = 0.
    real: bool = False


class Outcome(NamedTuple):
    """How a run ended.

    Attributes:
        status: Exit status, negative if a signal ended it, None if it hung.
        killed: Whether the signal was sent before the end.
        changes: Changes of the file system so far.
        read: Images that were opened for reading.
        seconds: Time until the end.
        said: Standard error.
        survivors: Processes of the group that outlived it for five seconds.
    """

    status: int | None
    killed: bool
    changes: int
    read: int
    seconds: float
    said: str
    survivors: int


def run(words: Sequence[Word], cwd: Path, streams: Path, kill: Kill | None = None,
        limit: float = 600.) -> Outcome:
    """Run a script until it ends or is killed.

    Args:
        words: Script and its arguments.
        cwd: Folder to run in.
        streams: Folder for standard output and error.
        kill: When to send a signal.
        limit: Seconds after which the run hangs.
    """
    streams.mkdir(parents=True, exist_ok=True)
    shared = mmap.mmap(-1, 64)
    counts = memoryview(shared).cast('q')
    command = [str(word) for word in words]
    begun = time.monotonic()
    real = kill is not None and kill.real
    if real:
        process = _begin_command(command, cwd, streams)
    else:
        process = _fork(command, cwd, streams, counts, kill)
    moment = kill.seconds if kill and not kill.change else None
    status, killed = None, False
    while (seconds := time.monotonic() - begun) < limit:
        done, code = os.waitpid(process, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(code)
            break
        if not (real or counts[_BEGUN]):
            begun = time.monotonic()
        elif kill and moment is not None and seconds >= moment:
            os.killpg(process, signal.Signals[kill.signal])
            killed, moment = True, None
        time.sleep(0.002)
    left = _survivors(process)
    if status is None:
        os.waitpid(process, 0)
    return Outcome(status, killed or bool(counts[_FIRED]), counts[_CHANGED], counts[_READ], seconds,
                   (streams / '2').read_text(errors='replace'), left)


def _survivors(group: int) -> int:
    """Wait for the end of a process group, end it, and return how many had to be ended."""
    alive: list[Path] = []
    for _ in range(100):
        alive = [p for p in Path('/proc').glob('[0-9]*') if _is_alive(p, group)]
        if not alive:
            return 0
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    return len(alive)


def _is_alive(process: Path, group: int) -> bool:
    try:
        state, _, number, *_ = (process / 'stat').read_text().rpartition(')')[2].split()
    except OSError:
        return False
    return number == str(group) and state not in 'ZX'


def _begin_command(words: Sequence[str], cwd: Path, streams: Path) -> int:
    with open(streams / '1', 'wb') as out, open(streams / '2', 'wb') as err:
        return subprocess.Popen([sys.executable, *words], cwd=cwd, stdin=subprocess.DEVNULL,
                                stdout=out, stderr=err, start_new_session=True).pid


def _fork(words: Sequence[str], cwd: Path, streams: Path, counts: memoryview,
          kill: Kill | None) -> int:
    sys.stdout.flush()
    gc.collect()
    process = os.fork()
    if not process:
        _work(words, cwd, streams, counts, kill)
    return process


def _work(words: Sequence[str], cwd: Path, streams: Path, counts: memoryview,
          kill: Kill | None) -> NoReturn:
    """Be the job: the rest of a forked process."""
    status: Any = 1
    try:
        os.setsid()
        for number in (1, 2):
            with open(streams / str(number), 'wb') as file:
                os.dup2(file.fileno(), number)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let jobs ignore it
        sys.excepthook = sys.__excepthook__  # that of a program which has not begun
        os.chdir(cwd)
        torch.set_num_threads(1)
        _watch(counts, kill)
        counts[_BEGUN] = 1
        execute(words)
        status = 0
    except SystemExit as end:
        status = end.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    finally:
        multiprocessing.util._exit_function()  # as at any end
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _watch(counts: memoryview, kill: Kill | None) -> None:
    """Count what this process and its children do with files, and send the signal in between."""
    group = os.getpgid(0)

    def see(event: str, arguments: tuple) -> None:
        if event == 'open':
            path, _, flags = arguments
            if not flags & _WRITING:
                counts[_READ] += isinstance(path, str) and path.endswith(('.jpg', '.png'))
                return
            if path == os.devnull or str(path).startswith('/proc/'):
                return
        elif event not in CHANGES:
            return
        counts[_CHANGED] += 1
        if kill and kill.change and counts[_CHANGED] >= kill.change and not counts[_FIRED]:
            counts[_FIRED] = 1
            os.killpg(group, signal.Signals[kill.signal])

    sys.addaudithook(see)
