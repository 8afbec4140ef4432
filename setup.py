"""Puts configs, tools and demo where MIM looks for them; everything else is in setup.cfg."""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHARED = ('configs', 'tools', 'demo', 'model-index.yml')


class BuildWithMim(build_py):
    """Adds ``glip_mm/.mim``: copies in a wheel, links in an editable install."""

    def run(self):
        super().run()
        if getattr(self, 'editable_mode', False):
            place(ROOT / 'glip_mm' / '.mim', link=True)
        else:
            place(Path(self.build_lib) / 'glip_mm' / '.mim', link=False)


def place(folder: Path, link: bool) -> None:
    """Make a fresh ``.mim`` folder."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SHARED:
        source, target = ROOT / name, folder / name
        if not source.exists():
            continue
        if link:
            try:
                os.symlink(os.path.relpath(source, folder), target)
                continue
            except OSError:  # no links on this file system
                pass
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        else:
            shutil.copy2(source, target)


setup(cmdclass=dict(build_py=BuildWithMim))
