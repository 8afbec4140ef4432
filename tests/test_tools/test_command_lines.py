"""Every tool answers its command line before it imports torch, MMDetection or transformers."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: check_env.py takes no options, and asks other processes for what it reports.
TOOLS = sorted(path.relative_to(ROOT).as_posix() for folder in ('tools', 'demo')
               for path in (ROOT / folder).rglob('*.py')
               if "if __name__ == '__main__'" in path.read_text(encoding='utf-8')
               and 'from moved import' not in path.read_text(encoding='utf-8')
               and path.name != 'check_env.py')
TOOLS += sorted(path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')
                for path in (ROOT / 'dev').rglob('*.py')
                if "if __name__ == '__main__'" in path.read_text(encoding='utf-8'))
LIGHT = """
import runpy, sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmcv', 'mmdet', 'transformers', 'glip_mm'):
            raise AssertionError(f'{name} was imported')

sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
if sys.argv[0].endswith('.py'):
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name='__main__')
else:
    runpy.run_module(sys.argv[0], run_name='__main__')
"""


def light(tool, *arguments, cwd=ROOT):
    tool = str(ROOT / tool) if tool.endswith('.py') else tool
    return subprocess.run([sys.executable, '-c', LIGHT, tool, *arguments], cwd=cwd,
                          capture_output=True, text=True,
                          env={'PYTHONPATH': str(ROOT), 'COLUMNS': '80'})


def named(tool):
    return Path(tool).name if tool.endswith('.py') else (
        f"python -m {tool.removesuffix('.__main__')}")


@pytest.mark.parametrize('tool', TOOLS)
def test_help(tool):
    done = light(tool, '--help')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'usage: {named(tool)} ')


@pytest.mark.parametrize('tool', TOOLS)
def test_a_mistyped_flag(tool):
    done = light(tool, '--no-such-flag')
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f'usage: {named(tool)} ')
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('tool, arguments, message', [
    ('tools/train.py', ['configs/quickstart/no_such.py'], "config 'configs/quickstart/no_such.py' "
     "is not a file; in 'configs/quickstart' there are: glip_nano"),
    ('tools/test.py', ['configs/quickstart/glip_nano_grounding-world.py', 'no_such.pth'],
     "checkpoint 'no_such.pth' is not a file"),
    ('tools/test_suite.py', ['no/such.py', 'no_such.pth'], "there is no folder 'no'"),
    ('tools/finetune.py', ['--data', 'x', '--checkpoint', 'no/such.pth'],
     "--checkpoint 'no/such.pth' is not a file; there is no folder 'no'"),
    ('tools/pseudo_label.py', ['no_such.py', 'x', '--data', 'x', '--out', 'x'],
     "--model 'no_such.py' is not a file"),
    ('tools/pseudo_label.py', ['photos', '--to', 'yolo', '--out', 'configs', '--classes', 'cup'],
     "--out 'configs' is there already"),
    ('tools/pseudo_label.py', ['photos', '--out', 'x', '--negatives', 'cup'],
     '--negatives is of class names: give --classes'),
    ('tools/pseudo_label.py', ['a', 'b', 'c', '--data', 'x', '--out', 'x'], "'c': give the images"),
    ('tools/pseudo_label.py', ['configs', '--classes', 'cup', '--out', 'configs/set'],
     "--out 'configs/set' lies among the images of 'configs'"),
    ('tools/pseudo_label.py', ['x.py', 'x', '--data', 'x', '--out', 'x', '--threshold', '50'],
     'argument --threshold: 50 must be from 0 to below 1'),
    ('demo/image_demo.py', ['no_such.jpg', 'no_such.py', '--texts', 'a cat'],
     "model 'no_such.py' is not a file"),
    ('demo/image_demo.py', ['no_such.jpg', 'configs/quickstart', '--texts', 'a cat'],
     "model 'configs/quickstart' is a folder: give a file in it: glip_nano"),
    ('tools/test.py', ['configs/quickstart/glip_nano_grounding-world.py', 'configs/quickstart'],
     "checkpoint 'configs/quickstart' is a folder"),
    ('demo/image_demo.py', ['no_such.jpg', 'no_such.pth', '--texts', 'a cat'],
     "model 'no_such.pth' is not a file"),
    *((tool, [*words, 'no_such.json', *more], "'no_such.json' does not exist")
      for tool, words, more in (
          ('tools/analysis_tools/report.py', [], []),
          ('tools/analysis_tools/eval_metric.py', [], []),
          ('tools/analysis_tools/review_labels.py', [], ['--out', 'x']),
          ('tools/analysis_tools/export_labels.py', [], ['--to', 'coco', '--out', 'x']),
          ('tools/analysis_tools/analyze_logs.py', ['plot_curve'], []),
          ('tools/misc/check_data.py', [], []), ('tools/misc/merge_lora.py', [], ['x']),
          ('tools/misc/validate_odvg.py', [], []),
          ('tools/dataset_converters/coco2odvg.py', [], []))),
    ('tools/dataset_converters/openimages2odvg.py', [], "--input-dir 'data/OpenImages"),
])
def test_a_missing_file(tool, arguments, message):
    done = light(tool, *arguments)
    assert done.returncode == 2
    assert message in done.stderr, done.stderr


def choices_of(tool, option, parser='make_parser'):
    make = runpy.run_path(str(ROOT / tool), run_name='tool')[parser]
    return next(a for a in make()._actions if option in a.option_strings)


def test_parsers_repeat_what_the_package_offers():
    # parsers name choices themselves: asking the package would import torch
    from glip_mm.checkpoints import NAMINGS
    from glip_mm.finetuning.config import TUNING
    from glip_mm.finetuning.prompt_candidates import TEMPLATES
    from glip_mm.finetuning.replay import SHARE
    from glip_mm.pseudo_labels.export import FORMATS
    from glip_mm.text.noun_phrases import GRAMMARS
    from glip_mm.text.parsers import PARSERS

    assert set(choices_of('tools/finetune.py', '--tuning').choices) == set(TUNING)
    assert choices_of('tools/finetune.py', '--replay-share').default == SHARE
    assert choices_of('tools/analysis_tools/export_labels.py', '--to').choices == tuple(FORMATS)
    assert ', '.join(map(repr, TEMPLATES)) in choices_of(
        'tools/analysis_tools/tune_prompts.py', '--templates').help
    for tool, option, offered in (
            ('tools/model_converters/convert_glip.py', '--to', NAMINGS),
            ('tools/pseudo_label.py', '--grammar', GRAMMARS),
            ('tools/pseudo_label.py', '--parser', ('auto', *PARSERS))):
        text = light(tool, '--help').stdout
        assert f"{option} {{{','.join(offered)}}}" in ' '.join(text.split())


def test_defaults_of_worlds():
    from glip_mm.datasets.grounding_world import SelfTrainingOptions, WorldOptions
    options = runpy.run_path(str(ROOT / 'tools/misc/make_grounding_world.py'))['OPTIONS']
    for kind, owner in (('quickstart', WorldOptions), ('self_training', SelfTrainingOptions)):
        assert owner._field_defaults == {name: defaults[kind] for name, (_, defaults)
                                         in options.items() if kind in defaults}


def test_choices_of_the_benchmark():
    from dev.speed.cases import WORKS
    from dev.speed.running import DTYPES
    from dev.speed.session import EXTRAS
    from dev.speed.sides import CONFIGS
    text = ' '.join(light('dev.speed', '--help').stdout.split())
    for option, offered in (('--work', WORKS), ('--model', CONFIGS), ('--dtype', DTYPES),
                            ('--skip', EXTRAS)):
        assert f"{option} {{{','.join(offered)}}}" in text


def test_developers_tools_answer_to_their_old_names():
    names = runpy.run_path(str(ROOT / 'tools/analysis_tools/moved.py'))['MODULES']
    for name, module in names.items():
        assert (ROOT / f'tools/analysis_tools/{name}.py').is_file()
        assert module in {tool.removesuffix('.__main__') for tool in TOOLS}
    done = light('tools/analysis_tools/check_parity.py', '--help')
    assert done.returncode == 0, done.stderr
    assert done.stderr == 'warning: check_parity.py is now: python -m dev.parity\n'
    assert done.stdout.startswith('usage: python -m dev.parity ')
