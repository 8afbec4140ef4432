"""Code in processes that have imported PyTorch before, and nothing else that the package needs.

They are forked from one that waits for requests: importing PyTorch takes most of the time that
importing the package does. What else is imported, when and in which order, is up to the code.
"""

import atexit
import functools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(code: str, *words: str, cwd: str | Path = ROOT,
        env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run code to its end.

    Args:
        code: What follows ``python -c``.
        words: Its arguments.
        cwd: Folder to run in.
        env: Environment. Default: that of the tests.
    """
    server = _server()
    with tempfile.TemporaryDirectory() as streams:
        print(json.dumps([['-c', code, *words], str(cwd), dict(os.environ if env is None else env),
                          streams]), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        out, err = (Path(streams, name).read_text() for name in ('1', '2'))
    return subprocess.CompletedProcess(code, status, out, err)


@functools.cache
def _server() -> subprocess.Popen:
    server = subprocess.Popen([sys.executable, '-c', 'from tests.fresh import serve; serve()'],
                              cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)
    return server


def serve() -> None:
    """Answer each request with the exit status of a process of its own."""
    import torch  # noqa: F401

    from tests.forked import begin

    for line in sys.stdin:
        process = multiprocessing.get_context('fork').Process(target=begin, args=json.loads(line))
        process.start()
        process.join()
        print(process.exitcode, flush=True)
