"""Configs and --cfg-options of test.py and train.py that are wrong."""

import json
from pathlib import Path

from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'configs and --cfg-options'
_TEST = '''
_base_ = {base!r}
test_dataloader = dict(dataset=dict(
    data_root={root!r}, ann_file='a.json', data_prefix=dict(img=''),
    metainfo=dict(classes=('cat', 'dog'))))
test_evaluator = dict(type='CocoMetric', metric='bbox', ann_file={file!r})
test_cfg = dict(type='TestLoop')
'''
#: Text of a config file -> what the error must name.
_FILES = [
    ('model = [', 'bad.py'), ('model = 7', 'bad.py'), ('model = dict()', 'bad.py'),
    ('', 'bad.py'), ('x = 1', 'bad.py'), ('raise ValueError("x")', 'bad.py'),
    # MMEngine imports nothing at the top of a config: what is left has no model
    ('import nothing_of_that_name', 'bad.py'), ("_base_ = 'gone.py'", 'gone.py'),
    ("_base_ = 'bad.py'", 'bad.py'), ('model = dict(type="Nobody")', 'Nobody'),
    ('model = dict(type=7)', 'bad.py'), ('model = None', 'bad.py'), ('\0', 'bad.py'),
    ('1 / 0', 'bad.py'), ('model = dict(type="GLIP", nobody=1)', 'nobody'),
    ('custom_imports = dict(imports=["nothing_here"])\nmodel = dict(type="GLIP")', 'nothing_here'),
    ('model = ' + '[' * 9999, 'bad.py'), ('test_dataloader = 7\nmodel = dict(type="GLIP")', '7')]
#: Option -> what the error must name; None: it is valid.
_OPTIONS = [
    ('model.type=Nobody', 'Nobody'), ('model.backbone.type=Nobody', 'Nobody'),
    ('model.backbone.depth=7', ''), ('model.nobody=1', 'nobody'), ('model=7', 'model'),
    ('model.bbox_head.in_channels=x', ''), ('model.neck.in_channels=[1,2]', ''),
    ('test_dataloader.dataset.ann_file=gone.json', 'gone.json'),
    ('test_dataloader.dataset.type=Nobody', 'Nobody'), ('test_evaluator.type=Nobody', 'Nobody'),
    ('test_evaluator.metric=nothing', 'nothing'), ('test_dataloader=7', ''),
    ('test_evaluator.ann_file=gone.json', 'gone.json'), ('test_cfg.type=Nobody', 'Nobody'),
    ('test_dataloader.dataset.pipeline.0.type=Nobody', 'Nobody'),
    ('model.language_model.name=/gone/bert', 'gone'), ('a.b.c=1', None),
    ('model.test_cfg.score_thr=0.1', None), ('test_dataloader.batch_size=1', None),
    ('test_dataloader.dataset.metainfo.classes=[a,b,c]', ''), ('load_from=gone.pth', None),
    ('model.test_cfg.nms.type=Nobody', 'Nobody'), ('default_scope=nobody', ''),
    ('model.test_cfg.max_per_img=3', None), ('test_dataloader.num_workers=-1', ''),
    ('test_dataloader.batch_size=0', ''), ('test_dataloader.batch_size=x', ''),
    ('env_cfg.mp_cfg.mp_start_method=nobody', ''), ('randomness.seed=7', None)]


def prepare(world: World) -> None:
    """Write a config that tests the tiny model on two pictures."""
    config, _ = world.files
    root = world.folder
    (root / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.png', width=WIDTH, height=HEIGHT) for i in range(2)],
        annotations=[dict(id=i + 1, image_id=i, category_id=i + 1, iscrowd=0, area=600.,
                          bbox=[10, 10, 30, 20]) for i in range(2)],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')])))
    (root / 'test.py').write_text(_TEST.format(
        base=str(config), root=f'{root}/', file=str(root / 'a.json')))


def make(place: Place) -> Try:
    """Write a config or an option, and test with it."""
    rng, world = place.rng, place.world
    config, words, named = world.folder / 'test.py', [], None
    tool = 'tools/test.py'
    if rng.random() < .4:
        what, named = rng.choice(_FILES)
        config = place.folder / 'bad.py'
        config.write_text(what)
        tool = rng.choice([tool, 'tools/train.py'])
        if tool.endswith('train.py') and named == '7':
            named = 'bad.py'
    else:
        what, named = rng.choice(_OPTIONS)
        words = ['--cfg-options', what]

    def act() -> float:
        more = [] if tool.endswith('train.py') else [world.folder / 'nano.pth']
        run_tool(tool, config, *more, '--work-dir', 'work', *words)
        return json.loads(Path('work/metrics.json').read_text())['metrics']['coco/bbox_mAP']

    def wrong(found: float) -> str | None:
        return None if 0 <= found <= 1 else f'AP {found}'
    return Try(f'{tool} with {what!r:.60}', act, wrong if named in (None, '') else None,
               None if named is None else (named, ))
