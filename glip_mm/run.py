"""Run a Python script with the package imported beforehand, such as one of MMDetection's tools.

Example:
    python -m glip_mm.run mmdet::tools/train.py my_config.py --amp
"""

import argparse
import importlib.util
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> None:
    """Run the script as ``python SCRIPT ...`` would.

    Args:
        argv: Script and its arguments; default: those of the command line.
    """
    parser = argparse.ArgumentParser(
        prog='python -m glip_mm.run', description='Run a Python script with glip_mm imported '
        'beforehand: configs may inherit from glip_mm::..., and MMDetection needs no compiled '
        'operators.')
    parser.add_argument('script', help="file, or PACKAGE::PATH of one that a package of OpenMMLab "
                        'has beside its configs, such as mmdet::tools/test.py')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help='arguments of the script')
    args = parser.parse_args(argv)
    path = script_file(args.script)
    if not path.is_file():
        parser.error(f"script '{args.script}' is not a file"
                     + ('' if str(path) == args.script else f": there is no '{path}'"))
    sys.argv = [str(path), *args.arguments]
    sys.path.insert(0, str(path.parent))
    runpy.run_path(str(path), run_name='__main__')


def script_file(name: str) -> Path:
    """Return the path of a script that is a file, or ``PACKAGE::PATH`` below a package's ``.mim``.

    Args:
        name: Script as it was given.
    """
    package, _, path = name.rpartition('::')
    spec = importlib.util.find_spec(package) if package else None
    return Path(spec.origin).parent / '.mim' / path if spec and spec.origin else Path(name)


if __name__ == '__main__':
    main()
