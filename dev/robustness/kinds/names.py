"""Names of folders, files and classes that end up in generated configs."""

import json
import os
import shutil
from pathlib import Path

from dev.robustness.running import ROOT
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'names of folders and classes in generated configs'
_NAMES = ["a'b", 'a"b', 'a b', '{{ fileBasename }}', '{{_base_.model}}', '{0}', '%s', 'ä', '猫',
          '🐶', 'a\nb', "'; import os; os.system('touch canary'); '", '$(touch canary)', 'a\\b',
          '"""', "'''", '\\N{DOG}', '-x', 'a#b', 'a;b', '`touch canary`', '{{fileDirname}}',
          "' + __import__('os').getcwd() + '", '~', 'a\tb', 'x' * 200, '$HOME', '*', '{{',
          'a\u2028b', '[a]', 'file:', '\x7f']


def prepare(world: World) -> None:
    """Write the checkpoint."""
    world.files  # noqa: B018  writes them


def make(place: Place) -> Try:
    """Write data into a folder of a strange name, and prepare a fine-tuning."""
    rng = place.rng
    name, where = rng.choice(_NAMES), rng.choice(['folder', 'work folder', 'class'])
    folder = place.folder / (name if where == 'folder' else 'data')
    work = place.folder / (name if where == 'work folder' else 'work')
    classes = ['cat', name if where == 'class' else 'dog']
    for split, number in (('train', 0), ('valid', 1), ('test', 2)):
        place.world.link(number, folder / split / f'{split}.png')
        (folder / split / '_annotations.coco.json').write_text(json.dumps(dict(
            images=[dict(id=1, file_name=f'{split}.png', width=WIDTH, height=HEIGHT)],
            annotations=[dict(id=i, image_id=1, category_id=i, iscrowd=0, area=600.,
                              bbox=[10 + number, 10, 30, 20]) for i in (1, 2)],
            categories=[dict(id=i, name=text) for i, text in enumerate(classes, 1)])))
    config, checkpoint = place.world.files
    shutil.copy(config, 'nano.py')

    def act() -> list:
        import runpy
        import sys
        sys.path.insert(0, str(ROOT / 'tools'))
        tool = runpy.run_path(str(ROOT / 'tools/finetune.py'), run_name='tool')
        from mmengine.config import Config

        from glip_mm.finetuning.run import prepare as prepare_run
        args = tool['make_parser']().parse_args([
            f'--data={folder}', f'--checkpoint={checkpoint}', '--config=nano.py',
            f'--work-dir={work}', '--workers=0'])
        configs, splits = prepare_run(args, Path(args.work_dir), [3], [], f'finetune.py {name}')
        written = Config.fromfile(configs[3])
        data = written.test_dataloader.dataset
        file = Path(data.get('data_root') or '', data.ann_file)
        assert file.is_file() and Path(file).samefile(folder / 'test/_annotations.coco.json')
        return [list(splits.classes), [str(c) for c in data.metainfo.classes], os.listdir('.')]

    def wrong(found: list) -> str | None:
        made = set(found[2]) - {'nano.py', folder.name, work.name, 'stream-1', 'stream-2'}
        return None if found[:2] == [classes, classes] and not made else f'{found!r:.300}'
    # what a config or a prompt cannot hold may be refused
    return Try(f'the {where} {name!r:.60}', act, wrong,
               ('', ) if '{{' in name or where == 'class' else None,
               (ValueError, OSError, KeyError, TypeError))
