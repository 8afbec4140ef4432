"""The command ``glip-mm``."""

import subprocess
import sys
from pathlib import Path

import pytest

from glip_mm.apis.building import resolve_model
from glip_mm_cli import places
from glip_mm_cli.commands import CHECK_INSTALLATION, COMMANDS, CONVERTERS
from glip_mm_cli.main import main
from glip_mm_cli.options import config_file

ROOT = Path(__file__).parents[2]
CODE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ('torch', 'mmcv', 'mmdet', 'transformers', 'glip_mm'):
            raise AssertionError(f'{name} was imported')

sys.meta_path.insert(0, Refuse())
from glip_mm_cli.main import main
sys.exit(main())
"""


def command(*words, code=CODE, cwd=ROOT):
    return subprocess.run([sys.executable, '-c', code, *words], cwd=cwd, capture_output=True,
                          text=True, env={'PYTHONPATH': str(ROOT)})


def as_module(*words):
    return subprocess.run([sys.executable, '-X', 'importtime', '-m', 'glip_mm', *words], cwd=ROOT,
                          capture_output=True, text=True, env={'PYTHONPATH': str(ROOT)})


def test_the_module_answers_without_pytorch():
    for words in (['--version'], ['--help'], ['train', '--help']):
        done = as_module(*words)
        assert done.returncode == 0 and done.stdout, done.stderr
        assert ' torch\n' not in done.stderr and ' mmdet\n' not in done.stderr


def test_tools_that_the_module_runs_have_the_whole_package():
    done = as_module('convert', 'weights', 'no-such.pth', 'out.pth')
    assert done.returncode and 'no-such.pth' in done.stderr and 'Traceback' not in done.stderr
    done = subprocess.run(
        [sys.executable, '-c', 'import sys; sys.argv = ["-m"]; import glip_mm; glip_mm.registry'],
        cwd=ROOT, env={'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0


def test_every_command_is_a_tool():
    for each in (*COMMANDS.values(), *CONVERTERS.values()):
        assert (ROOT / each.tool).is_file(), each
        assert len(each.help) < 66
    assert (ROOT / CHECK_INSTALLATION).is_file()
    converters = {path.name for path in (ROOT / 'tools' / 'dataset_converters').glob('*.py')}
    assert converters <= {Path(each.tool).name for each in CONVERTERS.values()}


def test_help_lists_commands_and_imports_nothing():
    done = command('--help')
    assert done.returncode == 0, done.stderr
    for name, each in COMMANDS.items():
        assert f'  {name} ' in done.stdout and each.help in done.stdout
    done = command('convert', '--help')
    assert done.returncode == 0 and all(f'  {name} ' in done.stdout for name in CONVERTERS)


@pytest.mark.parametrize('words, name', [
    (['train'], 'train'), (['detect'], 'detect'), (['label'], 'label'), (['check', 'x'], 'check'),
    (['tune-prompts'], 'tune-prompts'), (['convert', 'weights'], 'convert weights'),
    (['convert', 'voc2odvg'], 'convert voc2odvg')])
def test_usage_lines_say_the_command(words, name, capsys):
    done = command(*words[:2 if words[0] == 'convert' else 1], '--help')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'usage: glip-mm {name} ')


@pytest.mark.parametrize('words, message', [
    (['trian'], "there is no command 'trian'; did you mean 'train'?"),
    (['convert', 'wieghts'], "there is no command 'wieghts'; did you mean 'weights'?"),
    (['xyz'], "there is no command 'xyz'; see 'glip-mm --help'"),
    (['train', '--no-such', 'x'], 'glip-mm train: error: unrecognized arguments: --no-such')])
def test_mistakes(words, message):
    done = command(*words)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.startswith('usage: glip-mm')


def test_nothing_asked_is_a_mistake():
    done = command()
    assert done.returncode == 2 and '  train ' in done.stderr


def test_version():
    from glip_mm.version import __version__
    assert command('--version').stdout.strip() == __version__


def test_the_module_is_the_command():
    done = command('convert', 'weights', '--help', code='import runpy; '
                   'runpy.run_module("glip_mm", run_name="__main__")')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('usage: glip-mm convert weights ')


def test_no_tools(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(places, 'BESIDE', tmp_path)
    assert main(['train', '--help']) == 1
    assert 'install the package again' in capsys.readouterr().err


def test_configs_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = 'configs/quickstart/glip_nano_grounding-world.py'
    assert Path(config_file(name)) == ROOT / name
    assert Path(config_file('glip_swin-t_o365')).is_file()
    assert resolve_model(name)[0].filename == str(ROOT / name)
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).touch()
    assert config_file(name) == name  # what is here comes first
    with pytest.raises(FileNotFoundError, match='glip_swin-t_o365-goldg'):
        config_file('glip_swin-z')
    with pytest.raises(FileNotFoundError, match="no folder 'somewhere'"):
        config_file('somewhere/x.py')
