"""Entry point of ``glip-mm``, which runs the tool of a command."""

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from runpy import run_path
from types import ModuleType

from .commands import CHECK_INSTALLATION, COMMANDS, CONVERTERS, Command
from .ending import end_clearly
from .places import BESIDE, shared_root

PROG = 'glip-mm'


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; nothing slow is imported before its own options are parsed.

    Args:
        argv: Arguments of ``glip-mm``; default: those of the command line.

    Returns:
        Exit status: 2 for a usage error, that of the tool otherwise.
    """
    end_clearly()
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] in (['--version'], ['-V']):
        print(run_path(str(BESIDE / 'glip_mm' / 'version.py'))['__version__'])
        return 0
    commands = {**COMMANDS, 'convert': Command('', 'convert weights, or data sets to ODVG')}
    if words[:1] == ['convert']:
        return _choose(f'{PROG} convert', CONVERTERS, words[1:])
    if words == ['check']:
        return _run(f'{PROG} check', CHECK_INSTALLATION, [])
    return _choose(PROG, commands, words)


def _choose(prog: str, commands: Mapping[str, Command], words: Sequence[str]) -> int:
    usage = f'usage: {prog} COMMAND [--help] ...'
    if not words or words[0] in ('-h', '--help'):
        width = max(map(len, commands))
        lines = [f'  {name:{width}}  {command.help}' for name, command in commands.items()]
        text = '\n'.join([usage, '', 'commands:', *lines])
        print(text, file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] not in commands:
        near = get_close_matches(words[0], commands, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"see '{prog} --help'"
        print(f"{usage}\n{prog}: error: there is no command '{words[0]}'; {hint}", file=sys.stderr)
        return 2
    return _run(f'{prog} {words[0]}', commands[words[0]].tool, words[1:])


def _run(prog: str, tool: str, words: Sequence[str]) -> int:
    root = shared_root()
    path = None if root is None else root / tool
    if path is None or not path.is_file():
        print(f"{prog}: error: '{tool}' is neither in '{BESIDE}' nor in its glip_mm/.mim: install "
              'the package again', file=sys.stderr)
        return 1
    return _run_script(path, [prog, *words])


def _run_script(path: Path, argv: Sequence[str]) -> int:
    """Run a file as ``python FILE`` would, with another program name in its messages.

    ``runpy.run_path`` does the same, but resets ``sys.argv[0]`` to the file.
    """
    sys.argv = list(argv)
    sys.path.insert(0, str(path.parent))
    # spawned processes of multiprocessing look for the tool's functions in this module
    module = sys.modules['__main__'] = ModuleType('__main__')
    module.__file__ = str(path)
    exec(compile(path.read_bytes(), path, 'exec'), vars(module))
    return 0
