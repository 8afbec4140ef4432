"""The evaluation configs say what the protocols say."""

import re
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.registry import DefaultScope

import glip_mm.datasets  # noqa: F401
import glip_mm.evaluation  # noqa: F401
from glip_mm.apis.benchmarks import apply_benchmark, benchmark_table
from glip_mm.compat import load_tokenizer
from glip_mm.datasets.concat_dataset import member_configs
from glip_mm.registry import DATASETS, METRICS, TRANSFORMS
from glip_mm.text import Prompt, positive_map
from glip_mm.text.language_model_files import ASSETS
from glip_mm_cli.benchmarks import benchmark_names, moved_config

ROOT = Path(__file__).parents[2] / 'configs'
ODINW = load(ROOT / '_base_/datasets/odinw.json')['odinw']
BENCHMARKS = dict(coco=['coco', 'coco_testdev'], d3=['d3'], lvis=['lvis_minival', 'lvis_val'],
                  flickr30k=['flickr30k_val', 'flickr30k_test'], refcoco=['refcoco'],
                  odinw=['odinw13', 'odinw13_prompts', 'odinw35'])
NAMES = [name for names in BENCHMARKS.values() for name in names]
MODELS = ['glip_swin-t-a_o365', 'glip_swin-t_o365', 'glip_swin-t_o365-goldg',
          'glip_swin-t_o365-goldg-cc3m-sbu', 'glip_swin-l_mixed']


@cache
def config(benchmark, model=MODELS[1]):
    found = Config.fromfile(ROOT / f'glip/{model}.py')
    apply_benchmark(found, benchmark)
    return found


@pytest.mark.parametrize('model', MODELS)
@pytest.mark.parametrize('name', NAMES)
def test_a_benchmark_is_what_its_config_said(name, model, tmp_path):
    """Such a config stood in the repository for each model and benchmark."""
    base = re.search(r'models/[^\']+', (ROOT / f'glip/{model}.py').read_text()).group()
    protocol = 'protocol' in Config.fromfile(ROOT / f'_base_/benchmarks/{name}.py')
    (tmp_path / 'leaf.py').write_text(
        f"_base_ = ['{ROOT}/_base_/{base}', '{ROOT}/_base_/benchmarks/{name}.py',\n"
        f"         '{ROOT}/_base_/test_runtime.py']\n"
        + 'model = dict(test_cfg=_base_.protocol)\n' * protocol)
    leaf, found = Config.fromfile(tmp_path / 'leaf.py'), config(name, model)
    assert found.benchmark == leaf.benchmark == name
    keys = {key for one in (leaf, found) for key in one
            if key.startswith(('test_', 'tta_')) or key == 'model'}
    assert len(keys) >= 7
    for key in keys:
        assert found[key] == leaf[key], key
    assert not [key for key in found if key.startswith(('train_', 'val_'))]


def test_protocols():
    wanted = Config.fromfile(ROOT / f'glip/{MODELS[1]}.py').model.test_cfg
    protocols = dict(d3=dict(chunked_size=1), flickr30k=dict(last_pixel=False),
                     lvis=dict(chunked_size=40, max_per_img=300, last_pixel=False))
    for folder, names in BENCHMARKS.items():
        for name in names:
            assert config(name).model.test_cfg == dict(wanted, **protocols.get(folder, {}))


def test_benchmarks_and_one_worked_example_each():
    assert benchmark_names() == sorted(NAMES)
    found = sorted(p for folder in BENCHMARKS for p in ROOT.glob(f'{folder}/*.py'))
    assert {p.parent.name for p in found} == set(BENCHMARKS) and len(found) == len(BENCHMARKS)
    for path in found:
        example = Config.fromfile(path)
        same = config(example.benchmark, example.model_name)
        assert example.model == same.model and example.test_evaluator == same.test_evaluator


def test_a_users_own_config_keeps_its_runtime(tmp_path):
    (tmp_path / 'mine.py').write_text(f"""
_base_ = '{ROOT}/quickstart/glip_nano_grounding-world.py'
custom_imports = dict(imports=['mine'])
test_dataloader = dict(dataset=dict(mine=1))
""")
    found = Config.fromfile(tmp_path / 'mine.py', import_custom_modules=False)
    model = found.model.to_dict()
    apply_benchmark(found, 'odinw13')
    assert found.model == model and found.custom_imports.imports == ['mine']
    assert 'mine' not in found.test_dataloader.dataset and 'optim_wrapper' not in found
    assert found.test_cfg == dict(type='glip_mm.ResumableTestLoop')


@pytest.mark.parametrize('name', sorted({*NAMES} - {'coco_testdev', 'd3'}))
def test_bases_of_earlier_releases(name):
    old = ROOT / '_base_/datasets' / ('coco_val2017.py' if name == 'coco' else f'{name}.py')
    with pytest.warns(DeprecationWarning, match=f'benchmarks/{name}.py'):
        found = Config.fromfile(old)
    new = Config.fromfile(ROOT / f'_base_/benchmarks/{name}.py')
    assert {key: found[key] for key in new} == new.to_dict()


def test_configs_of_earlier_releases():
    model, benchmark = moved_config('configs/lvis/glip_swin-l_mixed_lvis-val.py')
    assert Path(model).resolve() == ROOT / 'glip/glip_swin-l_mixed.py' and benchmark == 'lvis_val'
    assert moved_config('configs/odinw/glip_swin-t-a_o365_odinw13-prompts.py')[1] == (
        'odinw13_prompts')
    for name in ('configs/lvis/glip_swin-x_mixed_lvis-val.py', 'configs/glip/no_such_model.py',
                 'configs/lvis/glip_swin-l_mixed_lvis-test.py',
                 str(ROOT / 'lvis/glip_swin-t_o365-goldg_lvis-minival.py')):
        assert moved_config(name) is None


def test_table():
    lines = benchmark_table().splitlines()
    assert [line.split()[0] for line in lines[2:]] == sorted(NAMES)
    row = next(line for line in lines if line.startswith('lvis_minival'))
    assert 'LVIS minival (4,809 images, 1,203 classes)' in row and 'LVISFixedAPMetric' in row
    assert 'box AP: GLIP-T (A) 20.2, ' in row


@pytest.mark.parametrize('name', NAMES)
def test_parts_are_registered(name):
    found = config(name)
    datasets = found.test_dataloader.dataset
    evaluators = found.test_evaluator
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    with DefaultScope.overwrite_default_scope('glip_mm'):
        for dataset in member_configs(datasets) if 'datasets' in datasets else [datasets]:
            assert DATASETS.get(dataset['type']), dataset['type']
            for step in dataset['pipeline']:
                TRANSFORMS.build(step)
        for metric in evaluators:
            assert METRICS.get(metric.type), metric.type


def test_odinw_has_its_sets():
    assert len(ODINW) == 36
    assert sum(d['in_13'] for d in ODINW) == 13 and sum(d['in_35'] for d in ODINW) == 35
    assert len({d['name'] for d in ODINW}) == len({d['official_name'] for d in ODINW}) == 36
    # number of classes of all 35 sets together, and of 13
    assert sum(len(d['classes']) for d in ODINW if d['in_35']) == 314
    assert sum(len(d['classes']) for d in ODINW if d['in_13']) == 50
    assert [d['name'] for d in ODINW if 'prompt' in d] == [
        'Aquarium', 'EgoHands_generic', 'Packages', 'pothole']


@pytest.fixture(scope='module')
def tokenizer():
    return load_tokenizer(str(ASSETS / 'bert-base-uncased'))


@pytest.mark.parametrize('entry', ODINW, ids=lambda d: d['name'])
def test_prompts_have_the_published_length(entry, tokenizer):
    prompt = Prompt.from_names(entry['classes'], caption_prompt=entry.get('prompt'))
    assert len(tokenizer(prompt.caption)['input_ids']) == entry['tokens']


def test_exact_prompts(tokenizer):
    entries = {d['name']: d for d in ODINW}

    def prompt(name):
        return Prompt.from_names(entries[name]['classes'],
                                 caption_prompt=entries[name].get('prompt'))

    fish = prompt('Aquarium')
    assert fish.caption == (
        ' fish. jellyfish. penguin , which is black and white. puffin with orange beaks . shark. '
        'starfish. stingray which is flat and round')
    assert [e.spans for e in fish.entities] == [
        ((1, 5), ), ((7, 16), ), ((18, 25), ), ((54, 60), ), ((81, 86), ), ((88, 96), ),
        ((98, 106), )]
    offsets = tokenizer(fish.caption, return_offsets_mapping=True)['offset_mapping']
    assert [row.nonzero()[0].tolist() for row in positive_map(fish, offsets)] == [
        [1], [3, 4], [6], [14, 15], [21], [23, 24], [26, 27]]
    assert prompt('EgoHands_generic').caption == ' hand of a person'
    assert prompt('Packages').caption == 'there is a package on the porch'
    holes = prompt('pothole')
    assert holes.caption == 'there are some holes on the road' and holes.names == ['pothole']
    assert holes.entities[0].spans == ((15, 20), )
    # two blanks are no word: the class cannot be found, as published
    assert prompt('ChessPieces').caption.startswith(' . black bishop. ')


def test_protocols_of_odinw_differ_in_names_and_prompts_alone():
    plain, prompts, all35 = (
        {d.dataset_name: d for d in config(name).test_dataloader.dataset.datasets}
        for name in BENCHMARKS['odinw'])
    assert (len(plain), len(prompts), len(all35)) == (13, 13, 35)
    assert all(prompts[name] == all35[name] for name in prompts)
    assert not any(d.caption_prompt for d in plain.values())
    changed = {n for n in plain if plain[n].metainfo != prompts[n].metainfo}
    assert changed == {'CottontailRabbits', 'NorthAmericaMushrooms'}
    assert plain['NorthAmericaMushrooms'].metainfo.classes == ['CoW', 'chanterelle']
    for name, d in plain.items():
        assert (d.data_root, d.ann_file) == (prompts[name].data_root, prompts[name].ann_file)


def test_odinw_files():
    found = config('odinw35')
    sets = {d.dataset_name: d for d in found.test_dataloader.dataset.datasets}
    files = found.test_evaluator.datasets
    assert files == {n: d.data_root + d.ann_file for n, d in sets.items()}
    assert files['EgoHands_generic'] == (
        'data/odinw/EgoHands/generic/mini_val/annotations_without_background.json')
    assert files['pistols'] == (
        'data/odinw/pistols/export/val_annotations_without_background.json')
    assert sets['pistols'].data_prefix.img == '.' and sets['pothole'].data_prefix.img == 'valid'
    assert found.test_evaluator.num_classes == {
        n: len(d.metainfo.classes) for n, d in sets.items()}
    minival = {d['name'] for d in ODINW if d['evaluated'] == 'minival'}
    assert minival == {
        'DroneControl', 'EgoHands_generic', 'EgoHands_specific', 'OxfordPets_by-breed',
        'OxfordPets_by-species', 'PKLot', 'UnoCards', 'VehiclesOpenImages', 'brackishUnderwater',
        'openPoetryVision', 'websiteScreenshots'}


def test_lvis_val_is_minival_with_another_file():
    one, two = config('lvis_minival'), config('lvis_val')
    assert [m.fixed_ap for m in two.test_evaluator] == [True, False]
    assert {m.ann_file for m in two.test_evaluator} == {'data/coco/annotations/lvis_od_val.json'}
    assert one.test_dataloader.dataset.ann_file.endswith('minival_inserted_image_name.json')
    assert two.test_dataloader.dataset.image_names == 'coco_url'
