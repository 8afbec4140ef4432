"""Scripts in processes that are forked from one with PyTorch and MMDetection already imported."""

import multiprocessing
import os
import runpy
import subprocess
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

Word = str | Path | int | float


def execute(words: Sequence[str]) -> None:
    """Run a script, or what follows ``-c`` or ``-m``, as the main program of this process.

    The Python scripts that it runs in turn are forked from it.

    Args:
        words: Script and its arguments.
    """
    subprocess.run = _run_forked
    sys.argv = list(words)
    try:
        if words[0] == '-c':
            sys.argv[:2] = ['-c']
            main = sys.modules['__main__'] = types.ModuleType('__main__')
            exec(words[1], main.__dict__)
        elif words[0] == '-m':
            sys.argv = list(words[1:])
            runpy.run_module(words[1], run_name='__main__', alter_sys=True)
        else:
            sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
            runpy.run_path(words[0], run_name='__main__')
    except (Exception, KeyboardInterrupt):
        _end_as_main()


def _end_as_main() -> NoReturn:
    """End as the interpreter does, which asks the hook that a program may have set."""
    sys.excepthook(*sys.exc_info())
    raise SystemExit(1) from None


_run_outside = subprocess.run


def _run_forked(command: Sequence[Word], **options: Any) -> subprocess.CompletedProcess:
    """Run the scripts that a script runs as it was run itself."""
    words = [str(word) for word in command]
    if options or words[0] != sys.executable or not words[1].endswith('.py'):
        return _run_outside(command, **options)
    process = multiprocessing.get_context('fork').Process(target=execute, args=(words[1:],))
    process.start()
    try:
        process.join()
    except BaseException:  # as subprocess does
        process.kill()
        process.join()
        raise
    return subprocess.CompletedProcess(command, process.exitcode or 0)
