"""How tools end that are interrupted, or that the system does not let write."""

import atexit
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

#: Exit status of a program that Ctrl-C ended, as shells report it.
INTERRUPTED = 130
#: Environment variable with the process that says that its job, tools that it runs among it, was
#: interrupted.
SPEAKER = 'GLIP_MM_SPEAKER'
#: Errors of the system that no program causes.
#: Exit status of a program whose output nobody reads any more, as shells report it.
UNREAD = 141
_OF_THE_SYSTEM = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EFBIG,
                  getattr(errno, 'EDQUOT', errno.ENOSPC))


def end_clearly() -> None:
    """End this program with one line, not a traceback, where the cause lies outside of it.

    Ctrl-C ends it with status 130; a reader that closed the pipe (``| head``) with 141 and
    without a word; a full disk, a file system that is read-only, and errors that say all
    (``OSError`` with a message of its own) with status 1. Names that are not UTF-8 are printed
    with escapes.
    """
    sys.excepthook = _end
    atexit.register(_flush)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        if os.environ.get(SPEAKER) in (None, str(os.getpid())):
            _say(f'interrupted: {error}' if str(error) else 'interrupted')
        raise SystemExit(INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        _let_go()
        raise SystemExit(UNREAD)
    text = system_error(error)
    if text is None:
        sys.__excepthook__(kind, error, trace)
    else:
        _say(text)
        raise SystemExit(1)


@contextmanager
def one_message(missing: str = "run 'pip install -e .' in the repository") -> Iterator[None]:
    """End this program with one line, and status 1, for errors that tell users what to do.

    Args:
        missing: What to do if a package is missing.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (ImportError, OSError, TypeError, ValueError) as error:
        more = (f'; {missing}, or see tools/misc/check_env.py'
                if isinstance(error, ModuleNotFoundError) else '')
        sys.exit(f'{Path(sys.argv[0]).name}: {error}{more}')


def system_error(error: BaseException) -> str | None:
    """Describe an error that lies in the system; None for any other."""
    if not isinstance(error, OSError):
        return None
    if error.errno is None:  # of a library or ours, with a message of its own
        return ' '.join(str(error).split()) or None
    if error.errno not in _OF_THE_SYSTEM:
        return None
    reason = error.strerror or os.strerror(error.errno)
    return f"'{error.filename}': {reason}" if error.filename else reason


def no_room(error: BaseException) -> bool:
    """Return whether nothing more can be written, whatever it is."""
    return isinstance(error, OSError) and error.errno in (
        errno.ENOSPC, errno.EROFS, getattr(errno, 'EDQUOT', errno.ENOSPC))


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go()


def _let_go() -> None:
    """Send what is still to be printed nowhere, as Python would complain of it at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())


def _say(text: str) -> None:
    # one of the processes of a job speaks
    if os.environ.get('RANK', '0') == '0':
        print(f'{Path(sys.argv[0]).name}: {text}', file=sys.stderr)
