"""The tool with a nano model, and what training makes of its labels."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.datasets import GroundingDataset
from glip_mm.datasets.grounding_world import SelfTrainingOptions, write_world
from glip_mm.text.noun_phrases import find_noun_phrases
from tests import forked
from tests.test_models.nano import build_nano, nano_config, write_tiny_bert
from tests.test_pseudo_labels.test_sources import jpeg, write_tar

ROOT = Path(__file__).parents[2]
pytest.importorskip('textblob')


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    """Config and checkpoint of a model that finds something everywhere."""
    folder = tmp_path_factory.mktemp('teacher')
    bert = write_tiny_bert(folder / 'bert')
    model = build_nano(bert)
    torch.nn.init.normal_(model.bbox_head.text_projection.weight, std=3.0)
    torch.save(dict(state_dict=model.state_dict()), folder / 'teacher.pth')
    pipeline = [dict(type='LoadImageFromFile', imdecode_backend='pillow'),
                dict(type='ShortSideResize', scale=(64, 128)),
                dict(type='PackDetInputs', meta_keys=('img_shape', 'ori_shape', 'scale_factor'))]
    Config(dict(default_scope='glip_mm', model=nano_config(bert), test_dataloader=dict(
        dataset=dict(pipeline=pipeline)))).dump(folder / 'teacher.py')
    return folder / 'teacher.py', folder / 'teacher.pth'


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp('world')
    write_world(str(root), SelfTrainingOptions(gold=1, pool=30, val=1, test=1, side=64), workers=1)
    pool = root / 'annotations/pool.jsonl'
    named = [r['filename'] for r in rows_of(pool) if find_noun_phrases(r['caption'])]
    (root / 'images' / named[3]).write_bytes(b'broken')
    (root / 'images' / named[4]).unlink()
    pool.write_text(pool.read_text() + '{"filename": "pool/000000.jpg", "caption": "of the"}\n')
    return root, named


def run(teacher, out, *options, launcher=()):
    words = [ROOT / 'tools/pseudo_label.py', *teacher, '--out', out, '--threshold', '0.02',
             '--device', 'cpu', *options]
    if not launcher:
        return forked.run(*words, cwd=ROOT)
    return subprocess.run([sys.executable, *launcher, *map(str, words)], capture_output=True,
                          text=True, cwd=ROOT)


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_lines_to_training_data(teacher, world, tmp_path):
    world, named = world
    options = ['--data', world / 'annotations/pool.jsonl', '--images', world / 'images',
               '--shard-size', 12, '--no-determiners', '--top-k', 3]
    done = run(teacher, tmp_path, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'labelled' in done.stdout
    rejects = {r['filename']: r['cause'] for r in rows_of(tmp_path / 'rejects.jsonl')}
    assert rejects[named[3]] == 'broken image'
    assert rejects[named[4]] == 'missing image'
    assert rejects['pool/000000.jpg'] == 'no phrase'  # the line that was added
    captions = {r['filename']: r['caption']
                for r in rows_of(world / 'annotations/pool.jsonl')[:-1]}
    rows = [row for path in sorted(tmp_path.glob('labels/*.jsonl')) for row in rows_of(path)]
    assert len(rows) > 20
    for row in rows:
        caption = row['grounding']['caption']
        assert caption == captions[row['filename']]
        entries = row['grounding']['regions'] + row['grounding']['without_box']
        assert len(entries) == len(find_noun_phrases(caption))
        for entry in entries:
            begin, end = entry['tokens_positive'][0]
            assert caption[begin:end] == entry['phrase']
            assert entry['phrase'].split()[0] not in ('a', 'an', 'the')
        for region in row['grounding']['regions']:
            assert 1 <= len(region['bbox']) == len(region['score']) <= 3
            assert region['score'] == sorted(region['score'], reverse=True)

    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = GroundingDataset(
            ann_file='labels/*.jsonl', data_root=str(tmp_path), on_bad='stop',
            data_prefix=dict(img=str(world / 'images')), index_dir=str(tmp_path / 'index'),
            pipeline=[dict(type='FilterPseudoBoxes', min_score=0.15)])
    kept = [dataset.pipeline(dataset.get_data_info(i)) for i in range(len(dataset))]
    assert len(kept) == len(rows)
    scores = [[i['score'] for i in sample['instances']] for sample in kept if sample]
    assert scores and all(min(s) > 0.15 for s in scores)
    before = sum(len(r['bbox']) for row in rows for r in row['grounding']['regions'])
    assert 0 < sum(map(len, scores)) < before

    again = run(teacher, tmp_path, *options)
    assert again.returncode == 0 and 'nothing was left to do' in again.stdout
    other = run(teacher, tmp_path, *options[:-1], 2)
    assert other.returncode == 1
    assert 'top_k: 3 before, 2 now' in other.stderr and 'choose another --out' in other.stderr


def test_shards_to_shards(teacher, tmp_path):
    write_tar(tmp_path / '00000.tar', [
        ('a.jpg', jpeg()), ('a.txt', b'a red thing'), ('a.json', b'{"url": "u", "width": 9}'),
        ('b.jpg', b'broken'), ('b.txt', b'a blue thing'),
        ('c.jpg', jpeg('blue')), ('c.json', b'{"caption": "a cat and a dog"}')])
    shutil.copy(tmp_path / '00000.tar', tmp_path / '00001.tar')
    os.truncate(tmp_path / '00001.tar', 600)
    done = run(teacher, tmp_path / 'out', '--data', tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert '1 of 2 shards are broken' in done.stdout and "'00001': cut off" in done.stdout
    assert rows_of(tmp_path / 'out/rejects.jsonl')[0]['cause'] == 'broken image'
    with tarfile.open(tmp_path / 'out/labels/00000.tar') as tar:
        assert tar.getnames() == ['a.jpg', 'a.json', 'c.jpg', 'c.json']
        assert tar.extractfile('a.jpg').read() == jpeg()
        record = json.load(tar.extractfile('a.json'))
    assert record['url'] == 'u' and record['width'] == 20
    assert record['grounding']['regions'][0]['phrase'] == 'a red thing'
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = GroundingDataset(ann_file='out/labels/*.tar', format='tar', on_bad='stop',
                                   data_root=str(tmp_path), pipeline=[dict(type='LoadImage')])
    assert [sample['img'].shape for sample in dataset] == [(10, 20, 3)] * 2


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*'))
            if p.is_file() and 'claims' not in p.parts}


@pytest.mark.parametrize('engine', ['torchrun', 'ray'])
def test_two_processes_write_what_one_writes(teacher, world, tmp_path, engine, monkeypatch):
    if engine == 'ray':
        pytest.importorskip('ray')
    monkeypatch.setenv('OMP_NUM_THREADS', '1')  # what torchrun and Ray give their processes
    world, _ = world
    options = ['--data', world / 'annotations/pool.jsonl', '--images', world / 'images',
               '--shard-size', 6]
    done = run(teacher, tmp_path / 'one', *options)
    assert done.returncode == 0, done.stderr[-3000:]
    if engine == 'ray':
        done = run(teacher, tmp_path / 'two', *options, '--engine', 'ray', '--actors', 2)
    else:
        done = run(teacher, tmp_path / 'two', *options, launcher=[
            '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2'])
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list(tmp_path.glob('two/labels/*.jsonl'))) >= 5
    assert files_of(tmp_path / 'two') == files_of(tmp_path / 'one')


def test_errors(teacher, tmp_path):
    missing = run(teacher, tmp_path, '--data', tmp_path / 'none.jsonl')
    assert missing.returncode == 1 and "none.jsonl' does not exist" in missing.stderr
    (tmp_path / 'a.csv').write_text('img;words\n0.jpg;a dog\n')
    other = run(teacher, tmp_path, '--data', tmp_path / 'a.csv')
    assert other.returncode == 1 and "found 'img;words'" in other.stderr
    assert other.stderr.startswith("error: '") and 'Traceback' not in other.stderr
