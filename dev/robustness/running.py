"""Tries in processes of their own, forked from one that has imported everything."""

import importlib
import json
import os
import random
import resource
import runpy
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .tries import HANG, OUTSIDE, TRACEBACK, Place, Refusal, Try, judge

ROOT = Path(__file__).parents[2]
#: Seconds of computing that a try may take, and how many times as long it may last.
CPU_SECONDS, PATIENCE = 60, 3
#: Bytes that a try may allocate.
MEMORY = 6 << 30
#: Events of the interpreter -> positions of paths that are changed.
_CHANGES = {'os.mkdir': (0, ), 'os.remove': (0, ), 'os.rmdir': (0, ), 'os.rename': (0, 1),
            'os.link': (1, ), 'os.symlink': (1, ), 'os.truncate': (0, ), 'os.chmod': (0, ),
            'shutil.rmtree': (0, )}
_PROGRAMS = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'socket.connect')
#: What libraries ask of the system about itself, and what copies the sound of a video.
_HARMLESS = ('uname', 'lscpu', 'ldconfig', 'gcc', 'c++', 'nvidia-smi', 'git', 'ffmpeg')


def import_all() -> None:
    """Import what the tools use, once for all tries."""
    from mmdet.utils import register_all_modules

    import glip_mm.apis
    import glip_mm.evaluation
    import glip_mm.finetuning.run
    import glip_mm.pseudo_labels.export
    import glip_mm.visualization  # noqa: F401
    register_all_modules(init_default_scope=False)
    for name in ('datasets', 'engine', 'evaluation', 'models', 'visualization'):
        importlib.import_module(f'glip_mm.{name}')


class Guard:
    """Watch over what a process opens, changes and starts.

    Args:
        folder: where it may write.
        outside: what it may not even read.
    """

    def __init__(self, folder: Path, outside: Path) -> None:
        self.folder, self.outside = str(folder.resolve()), str(outside.resolve())
        self.found: list[str] = []
        self.active = True
        sys.addaudithook(self._see)

    def _see(self, event: str, args: tuple) -> None:
        if not self.active:
            return
        if event == 'open':
            self._open(*args)
        elif event in _CHANGES:
            for position in _CHANGES[event]:
                self._change(event, args[position])
        elif event in _PROGRAMS:
            words = args[1] if event == 'subprocess.Popen' else args[0]
            text = words if isinstance(words, str) else ' '.join(map(str, words))
            first = text.removeprefix('/bin/sh -c ').split(' ')[0]
            if os.path.basename(first) not in _HARMLESS:
                self.found.append(f'{event} {words!r:.200}')

    def _open(self, path: Any, mode: Any, flags: int) -> None:
        if isinstance(path, int):
            return
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._change('open', path)
        elif self._real(path).startswith(self.outside):
            self.found.append(f'read {path!r:.200}')

    def _change(self, event: str, path: Any) -> None:
        if isinstance(path, int):
            return
        real = self._real(path)
        if not real.startswith((self.folder, '/dev/', '/proc/')):
            self.found.append(f'{event} {real:.200}')

    @staticmethod
    def _real(path: Any) -> str:
        # of a name that cannot be opened anyway there is no path
        try:
            return os.path.realpath(os.fsdecode(path))
        except (TypeError, ValueError):
            return '/dev/'


def run_tool(name: str, *words: object, status: Sequence[int] = (0, )) -> str:
    """Run a tool of this repository in this process, as if it were its program.

    Args:
        name: path of the script in the repository.
        words: its arguments.
        status: statuses that are no refusal.

    Returns:
        What it wrote to standard output.

    Raises:
        Refusal: If it ends with another status; with what it wrote to standard error.
    """
    for number in (1, 2):
        (sys.stdout, sys.stderr)[number - 1].flush()
        with open(f'stream-{number}', 'wb') as file:
            os.dup2(file.fileno(), number)
    sys.argv = [name, *map(str, words)]
    sys.path[0] = str((ROOT / name).parent)
    code: Any = 0
    try:
        runpy.run_path(str(ROOT / name), run_name='__main__')
    except SystemExit as error:
        code = error.code
    except BaseException as error:  # as the interpreter would end
        code = 1
        try:
            sys.excepthook(type(error), error, error.__traceback__)
        except SystemExit as end:
            code = end.code
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    said, errors = (Path(f'stream-{n}').read_text(errors='replace') for n in (1, 2))
    if (code or 0) not in status or 'Traceback (most recent call last)' in errors:
        raise Refusal(errors)
    return said


def carry_out(make: Callable[[Place], Try], rng: random.Random, folder: Path, outside: Path,
              world: Any) -> tuple[str, str, str]:
    """Make a try in a process of its own.

    Args:
        make: function that makes it.
        rng: source of all that is random.
        folder: its folder, made anew.
        outside: folder that it must leave alone.
        world: what all tries read.

    Returns:
        The try in words, its outcome, and the reason where that is a fault.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    before = _listing(outside)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _begin(make, Place(rng, folder, outside, world), writing)
    os.close(writing)
    what, outcome, reason = _await(child, reading)
    after = _listing(outside)
    if after != before:
        return what, OUTSIDE, f'changed outside: {sorted(after ^ before)}'
    return what, outcome, reason


def _listing(folder: Path) -> set[tuple[str, int, int]]:
    return {(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in folder.iterdir()}


def _begin(make: Callable[[Place], Try], place: Place, writing: int) -> None:
    """Carry out a try in this process, and end it."""
    what = 'making the try'
    try:
        import torch
        torch.set_num_threads(1)
        os.setsid()
        os.chdir(place.folder)
        os.environ.update(TMPDIR=str(place.folder), HOME=str(place.folder))
        tempfile.tempdir = str(place.folder)
        sys.dont_write_bytecode = True
        for number in (0, 1, 2):
            descriptor = os.open(os.devnull, os.O_RDWR)
            os.dup2(descriptor, number)
        # those of a program that captures its own are no files
        sys.stdout, sys.stderr = (open(number, 'w', closefd=False) for number in (1, 2))
        one = make(place)
        what = one.what
        os.write(writing, json.dumps(what).encode() + b'\n')
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        guard = Guard(place.folder, place.outside)
        try:
            outcome, reason = judge(one)
        except BaseException as error:
            outcome, reason = TRACEBACK, ''.join(traceback.format_exception(error))[-3000:]
        guard.active = False
        if guard.found:
            outcome, reason = OUTSIDE, '; '.join(guard.found[:5])
    except BaseException as error:
        outcome, reason = TRACEBACK, ('the harness: '
                                      + ''.join(traceback.format_exception(error))[-3000:])
    os.write(writing, json.dumps([outcome, reason]).encode() + b'\n')
    os._exit(0)


def _await(child: int, reading: int) -> tuple[str, str, str]:
    """Wait for the end of a try."""
    content, end = b'', time.monotonic() + CPU_SECONDS * PATIENCE
    while (left := end - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            piece = os.read(reading, 1 << 16)
            content += piece
            if not piece:
                break
    os.close(reading)
    late = left <= 0
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    status = os.waitpid(child, 0)[1]
    lines = [json.loads(line) for line in content.splitlines() if line.endswith((b'"', b']'))]
    what = lines[0] if lines and isinstance(lines[0], str) else 'making the try'
    if lines and isinstance(lines[-1], list):
        return what, *lines[-1]
    if late or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return what, HANG, f'more than {CPU_SECONDS} s'
    return what, TRACEBACK, f'the process died, status {status}'
