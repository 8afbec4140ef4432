"""Builds the package as pip does and looks inside."""

import ast
import configparser
import email
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import setuptools
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SHARED = ('configs', 'tools', 'demo')
PARTS = ('glip_mm', 'glip_mm_cli', 'requirements', *SHARED, 'setup.py', 'setup.cfg',
         'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'CHANGELOG.md', 'CITATION.cff', 'README.md',
         'model-index.yml')
BUILD_FILES = ('setup.py', 'glip_mm/version.py')


def copy_sources(folder):
    """The sources alone, so that nothing left by an earlier build gets in or stays behind."""
    ignore = shutil.ignore_patterns('__pycache__', '.mim', '*.egg-info')
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        elif source.exists():
            shutil.copy2(source, folder / name)
    return folder


def run(*command, cwd, **env):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True,
                          env={**os.environ, **env})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def no_torch(tmp_path_factory):
    """A folder that, put first on the path, makes importing torch fail loudly."""
    folder = tmp_path_factory.mktemp('no_torch')
    for name in ('torch', 'mmcv', 'mmdet', 'mmengine'):
        (folder / f'{name}.py').write_text(f'raise RuntimeError("the build imported {name}")\n')
    return folder


@pytest.fixture(scope='module')
def wheel(tmp_path_factory, no_torch):
    pytest.importorskip('wheel')
    pytest.importorskip('setuptools')
    source = copy_sources(tmp_path_factory.mktemp('source'))
    out = tmp_path_factory.mktemp('wheel')
    run(sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation',
        '--no-cache-dir', '-w', out, source, cwd=out, PYTHONPATH=str(no_torch))
    found, = out.glob('glip_mm-*.whl')
    return found


@pytest.fixture(scope='module')
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_what_mim_looks_for(names):
    assert 'glip_mm/.mim/model-index.yml' in names
    for folder in SHARED:
        for file in (ROOT / folder).rglob('*'):
            if file.is_file() and '__pycache__' not in file.parts and file.suffix != '.pyc':
                assert f'glip_mm/.mim/{file.relative_to(ROOT).as_posix()}' in names
    assert 'glip_mm/.mim/tools/train.py' in names and 'glip_mm/.mim/tools/test.py' in names


def test_wheel_holds_the_package_and_nothing_else(names):
    for file in (ROOT / 'glip_mm').rglob('*'):
        if (file.is_file() and '.mim' not in file.parts
                and (file.suffix == '.py' or {'assets', 'templates'} & set(file.parts))):
            assert file.relative_to(ROOT).as_posix() in names
    assert 'glip_mm/text/assets/bert-base-uncased/vocab.txt' in names
    assert 'glip_mm/visualization/templates/style.css' in names
    tops = {name.split('/')[0] for name in names}
    assert len(tops) == 3 and all(top.startswith('glip_mm') for top in tops)
    assert 'glip_mm_cli/main.py' in names
    assert not [name for name in names if name.endswith('.pyc')]


def test_metadata(wheel, names):
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(next(n for n in names if n.endswith('/METADATA'))).decode()
    metadata = email.message_from_string(text)
    from glip_mm import __version__
    assert metadata['Version'] == __version__
    assert metadata['Requires-Python'] == '>=3.10'
    needs = metadata.get_all('Requires-Dist')
    plain = [need for need in needs if 'extra ==' not in need]
    # these would bring a torch of pip's choice, or MMCV without its ops
    assert not [need for need in plain if re.match(r'torch|mm|sentence|gt-all', need)]
    assert [need for need in plain if need.startswith('transformers>=4.46')]
    assert [need for need in needs if need.startswith('mmcv') and 'mim' in need]
    # but for the MMCV that MMDetection refuses where glip_mm was not imported first
    bounded = [need for need in needs if '<' in need and not need.startswith('mmcv-lite')]
    assert not bounded, 'upper bounds warn, they never refuse'


def test_extras(wheel, names):
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(
            archive.read(next(n for n in names if n.endswith('/METADATA'))))
    assert set(metadata.get_all('Provides-Extra')) == {
        'demo', 'lite', 'mim', 'onedl', 'optional', 'ray', 'serve', 'tests'}
    needs = [Requirement(need) for need in metadata.get_all('Requires-Dist')]
    lite = {need.name for need in needs if need.marker and need.marker.evaluate({'extra': 'lite'})
            and not need.marker.evaluate({'extra': ''})}
    assert lite == {'mmengine', 'mmcv-lite', 'mmdet'}
    # what pip installs without being asked, and all that this brings along
    todo = [need for need in needs if need.marker is None or need.marker.evaluate({'extra': ''})]
    seen = set()
    while todo:
        need = todo.pop()
        if need.name.lower() in seen:
            continue
        seen.add(need.name.lower())
        try:
            further = importlib.metadata.requires(need.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        todo += [more for more in map(Requirement, further)
                 if more.marker is None or more.marker.evaluate({'extra': ''})]
    assert 'filelock' in seen and not seen & {'torch', 'torchvision', 'mmcv', 'mmdet', 'mmengine'}


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """An environment that has the wheel, and this one's packages; the path of its ``glip-mm``."""
    folder = tmp_path_factory.mktemp('venv')
    venv.create(folder, with_pip=False, symlinks=os.name != 'nt')
    scripts = folder / ('Scripts' if os.name == 'nt' else 'bin')
    run(sys.executable, '-m', 'pip', '--python', scripts / 'python', 'install', '--no-deps',
        '--no-index', '--no-cache-dir', wheel, cwd=folder)
    site, = folder.glob('[Ll]ib/**/site-packages')
    here = [path for path in map(Path, sys.path) if path.name == 'site-packages']
    # with the .pth files that lie there, such as the one that gives distutils
    (site / 'here.pth').write_text(''.join(f'import site; site.addsitedir({str(path)!r})\n'
                                           for path in here))
    return scripts / 'glip-mm'


def command(*words, cwd, **env):
    clean = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    return subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True,
                          env={**clean, **env})


def test_the_command_finds_tools_and_configs_from_anywhere(installed, tmp_path):
    done = command(installed, '--help', cwd=tmp_path)
    assert done.returncode == 0 and '  train ' in done.stdout and '  convert ' in done.stdout
    done = command(installed, 'train', '--help', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('usage: glip-mm train ')
    done = command(installed, 'train', 'configs/quickstart/no_such.py', cwd=tmp_path)
    assert done.returncode == 2
    assert 'glip_nano_grounding-world.py' in done.stderr  # what is there instead


def test_the_command_runs_a_config_of_the_wheel(installed, tmp_path):
    # no data here: the config was read, and says what it needs
    done = command(installed, 'train', 'configs/quickstart/glip_nano_grounding-world.py',
                   cwd=tmp_path)
    assert done.returncode == 1
    assert 'data/grounding_world' in done.stderr, done.stderr
    assert 'Traceback' not in done.stderr
    done = command(installed, 'train', 'glip_swin-t_o365-goldgg', cwd=tmp_path)
    assert done.returncode == 2 and 'glip_swin-t_o365-goldg' in done.stderr
    script = installed.with_name('python.exe' if os.name == 'nt' else 'python')
    done = command(script, '-m', 'glip_mm', 'convert', 'weights', '--help', cwd=tmp_path)
    assert done.stdout.startswith('usage: glip-mm convert weights '), done.stderr


def test_a_config_anywhere_inherits_from_the_wheel(installed, tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'glip_mm::glip/glip_swin-t_o365-goldg.py'\nmodel = dict(with_cp=True)\n")
    python = installed.with_name('python.exe' if os.name == 'nt' else 'python')
    done = command(python, '-c', 'import glip_mm; from mmengine.config import Config; '
                   'model = Config.fromfile("mine.py").model; print(model.type, model.with_cp)',
                   cwd=tmp_path)
    assert done.stdout == 'glip_mm.GLIP True\n', done.stderr


def test_installed_wheel_trains_from_anywhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / 'site')
    shared = tmp_path / 'site' / 'glip_mm' / '.mim'
    out = run(sys.executable, shared / 'tools' / 'train.py', '--help', cwd=tmp_path,
              PYTHONPATH=str(tmp_path / 'site'))
    assert '--auto-scale-lr' in out
    run(sys.executable, '-c', 'import sys, glip_mm; from mmengine.config import Config; '
        'assert glip_mm.__file__.startswith(sys.argv[1]); '
        'Config.fromfile("glip_mm/.mim/configs/quickstart/glip_nano_grounding-world.py")',
        tmp_path / 'site', cwd=tmp_path / 'site', PYTHONPATH=str(tmp_path / 'site'))


def test_editable_install_links_to_the_sources(tmp_path, no_torch):
    if int(setuptools.__version__.split('.')[0]) < 71:
        pytest.importorskip('wheel', reason='earlier setuptools makes wheels with it')
    source = copy_sources(tmp_path / 'source')
    (tmp_path / 'out').mkdir()
    run(sys.executable, '-c', 'import sys; from setuptools import build_meta; '
        'build_meta.build_editable(sys.argv[1])', tmp_path / 'out', cwd=source,
        PYTHONPATH=str(no_torch))
    for name in (*SHARED, 'model-index.yml'):
        link = source / 'glip_mm' / '.mim' / name
        assert link.is_symlink() and link.resolve() == (source / name).resolve()
        assert not Path(os.readlink(link)).is_absolute()


@pytest.mark.parametrize('name', BUILD_FILES)
def test_build_scripts_import_no_torch(name):
    tree = ast.parse((ROOT / name).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import)
                for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split('.')[0] for module in imported} <= {'os', 'shutil', 'pathlib',
                                                             'setuptools'}


def test_build_needs_no_torch():
    text = (ROOT / 'pyproject.toml').read_text()
    assert 'torch' not in text.split('[tool')[0]
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    assert config['metadata']['version'].startswith('attr:')
