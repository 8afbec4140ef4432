"""Options that several tools have."""

import argparse
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from glip_mm_cli.options import add_cfg_options, merge_cfg_options

ROOT = Path(__file__).parents[2]


def parser():
    made = argparse.ArgumentParser(prog='x.py')
    add_cfg_options(made)
    return made


def test_settings_are_read_as_mmengine_does():
    words = ['a=1', 'b.c=[x,2]', 'd=(1,2)', 'e=f=g', 'a=None']
    assert parser().parse_args(['--cfg-options', *words]).cfg_options == {
        'a': None, 'b.c': ['x', 2], 'd': (1, 2), 'e': 'f=g'}
    assert parser().parse_args([]).cfg_options is None


@pytest.mark.parametrize('word, message', [
    ('model', "'model' is not KEY=VALUE"), ('=3', "'=3' is not KEY=VALUE"),
    ('a=[1,(2]', 'Imbalanced brackets'), ('a=' + '[' * 5000 + '1,' + ']' * 5000, 'recursion')])
def test_words_that_are_no_settings(word, message, capsys):
    with pytest.raises(SystemExit) as end:
        parser().parse_args(['--cfg-options', word])
    last = capsys.readouterr().err.splitlines()[-1]
    assert end.value.code == 2 and message in last and len(last) < 400
    assert last.startswith('x.py: error: argument --cfg-options: ')


def test_settings_are_merged_or_named():
    from mmengine.config import Config
    config = Config(dict(model=dict(depth=3, sizes=[dict(a=1)])))
    merge_cfg_options(config, {'model.depth': 4, 'model.sizes.0.a': 7, 'x.y.z': 1})
    assert config.to_dict() == dict(model=dict(depth=4, sizes=[dict(a=7)]), x=dict(y=dict(z=1)))
    for key in ('model.depth.x', 'model.sizes.7.a', 'model.sizes.x'):
        with pytest.raises(ValueError, match=f'--cfg-options {key}=1 does not fit config'):
            merge_cfg_options(config, {key: 1})


@pytest.mark.parametrize('tool', [path for folder in ('tools', 'demo')
                                  for path in sorted((ROOT / folder).rglob('*.py'))
                                  if '_options(parser' in path.read_text()],
                         ids=lambda path: path.name)
def test_help_waits_for_nothing_slow(tool):
    # nor does Ctrl-C, which ends a tool with one line as soon as its options are read
    code = ('import runpy, sys; sys.modules.update(torch=None, mmengine=None, mmdet=None)\n'
            f'sys.argv[1:] = ["--help"]; runpy.run_path({str(tool)!r}, run_name="__main__")')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stdout.startswith('usage: '), done.stderr


@pytest.mark.parametrize('word, value', [
    ('my photos/a b.csv', 'my photos/a b.csv'),
    ('[my photos, other ones, 3]', ['my photos', 'other ones', 3]),
    ('( 1 , 2.5 )', (1, 2.5)),
    ("'a, b/c d.csv'", 'a, b/c d.csv'),
    ('"[1, 2]"', [1, 2]),
    ('  x  ', 'x')])
def test_spaces_in_strings_stay(word, value):
    found = parser().parse_args(['--cfg-options', f'a={word}']).cfg_options['a']
    assert found == value and type(found) is type(value)


def test_a_setting_that_nothing_reads_is_named():
    from mmengine.config import Config
    config = Config(dict(model=dict(depth=3)))
    with pytest.warns(UserWarning, match="has no 'modle'; did you mean 'model'"):
        merge_cfg_options(config, {'modle.depth': 4})
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        merge_cfg_options(config, {'model.depth': 4, 'train_dataloader.batch_size': 1,
                                   'compile': True})
