"""The world for self-training: new words in captions without boxes, and nowhere in the gold."""

import json
import re
from pathlib import Path

import pytest

from glip_mm.datasets.grounding_world import (
    SHAPES,
    SelfTrainingOptions,
    all_pairs,
    is_new,
    new_pairs,
    write_world,
)
from glip_mm.datasets.grounding_world.self_training import (
    NEW_COLOURS,
    NEW_PATTERNS,
    NEW_RELATIONS,
    NEW_SHAPES,
    known_pairs,
)
from tests import forked

NEW = {*NEW_COLOURS, *NEW_SHAPES, *NEW_PATTERNS, *NEW_RELATIONS,
       *(SHAPES[shape] for shape in NEW_SHAPES)}


@pytest.fixture(scope='module')
def world(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('world')
    options = SelfTrainingOptions(gold=60, pool=150, val=5, test=30, side=96, seed=1)
    assert write_world(str(root), options, workers=1)
    assert not write_world(str(root), options, workers=1)
    return root


def lines(path: Path) -> list:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_gold_names_no_new_word(world):
    texts = [row['grounding']['caption'] for row in lines(world / 'annotations/gold.jsonl')]
    texts += json.loads((world / 'annotations/label_map.json').read_text()).values()
    assert len(texts) == 60 + 30
    assert not {word for text in texts for word in re.findall('[a-z]+', text)} & NEW
    boxes = [box for row in lines(world / 'annotations/gold_detection.jsonl')
             for box in row['detection']['instances']]
    assert {box['category'] for box in boxes} <= {pair.name for pair in known_pairs()}


def test_the_pool_names_all_and_shows_no_box(world):
    rows = lines(world / 'annotations/pool.jsonl')
    assert len(rows) == 150 and all(set(row) == {'filename', 'caption'} for row in rows)
    assert all((world / 'images' / row['filename']).is_file() for row in rows)
    words = {word for row in rows for word in re.findall('[a-z]+', row['caption'])}
    assert {*NEW_COLOURS, *NEW_PATTERNS, *NEW_RELATIONS} <= words
    assert all({shape, SHAPES[shape]} & words for shape in NEW_SHAPES)


def test_a_new_word_of_the_pool_stands_beside_others(world):
    count, relation = 'an?|two|three|four|five|six', 'and|next|left|right|above|below'
    phrase = f'(?:{count}) ([a-z ]+?)(?= (?:{relation}) |$)'
    phrases = [words for row in lines(world / 'annotations/pool.jsonl')
               for words in re.findall(phrase, row['caption'])]
    assert len(phrases) > 150 and all(len(words.split()) > 1 for words in phrases)


def test_both_views_ask_for_all_names(world):
    known, new = (json.loads((world / f'annotations/test_{view}.json').read_text())
                  for view in ('known', 'new'))
    assert known['categories'] == new['categories'] and len(new['categories']) == 64
    for view, wanted in ((known, False), (new, True)):
        found = {all_pairs()[a['category_id'] - 1] for a in view['annotations']}
        assert found and all(is_new(pair) is wanted for pair in found)
    assert len(new_pairs()) == 34 and len(known_pairs()) == 30


def test_command(world, tmp_path):
    tool = Path(__file__).parents[2] / 'tools/misc/make_grounding_world.py'

    def run(*options):
        return forked.run(tool, '--kind', 'self_training', *options)

    options = ['--gold', '60', '--pool', '150', '--val', '5', '--test', '30', '--side', '96',
               '--seed', '1']
    found = run('--out', str(world), *options)
    assert found.returncode == 0 and 'found 245 images' in found.stdout
    wrong = run('--out', str(tmp_path), '--detection', '3')
    assert wrong.returncode == 2 and '--kind self_training has no detection' in wrong.stderr
