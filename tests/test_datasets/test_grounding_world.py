"""The grounding world: same seed same bytes, held-out words held out, boxes and spans true."""

import hashlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from glip_mm.datasets.grounding_world import (
    COLOURS,
    SHAPES,
    SYNONYMS,
    Pair,
    WorldOptions,
    all_pairs,
    held_out_pairs,
    seen_pairs,
    write_world,
)
from glip_mm.datasets.grounding_world.captions import write_caption
from glip_mm.datasets.grounding_world.drawing import draw_scene, shape_mask
from glip_mm.datasets.grounding_world.scene import Thing, any_look, sample_scene

OPTIONS = WorldOptions(detection=40, grounding=60, val=6, test=8, long_tail=30, side=96, seed=3)
SMALL = OPTIONS._replace(detection=3, grounding=4, val=2, test=5, long_tail=3)
SINGULAR = {**{word: word for word in SHAPES}, **{many: one for one, many in SHAPES.items()}}


@pytest.fixture(scope='module')
def world(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('world')
    assert write_world(str(root), OPTIONS, workers=1)
    return root


@pytest.fixture(scope='module')
def small(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('small')
    assert write_world(str(root), SMALL, workers=1)
    return root


def load(path: Path):
    if path.suffix == '.jsonl':
        return [json.loads(line) for line in path.read_text().splitlines()]
    return json.loads(path.read_text())


def digests(root: Path) -> dict:
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(root.rglob('*')) if p.is_file()}


def training_texts(root: Path) -> list:
    folder = root / 'annotations'
    texts = [row['grounding']['caption'] for row in load(folder / 'train_grounding.jsonl')]
    texts += list(load(folder / 'label_map.json').values())
    return texts + [c['name'] for c in load(folder / 'train_detection.json')['categories']]


def pairs_in(text: str) -> set:
    words = re.findall('[a-z]+', text)
    return {Pair(a, SINGULAR[b]) for a, b in zip(words, words[1:])
            if a in COLOURS and b in SINGULAR}


def test_same_seed_same_bytes_whatever_the_number_of_processes(world, tmp_path):
    write_world(str(tmp_path), OPTIONS, workers=2)
    assert digests(tmp_path) == digests(world)
    assert len(digests(world)) == 40 + 60 + 6 + 8 + 30 + 3 + 1 + 2 * 4 + 1 + 1 + 2 * 8 + 1


def test_another_seed_gives_other_images(small, tmp_path):
    write_world(str(tmp_path), SMALL._replace(seed=4), workers=1)
    name = 'images/train_detection/000000.jpg'
    assert (tmp_path / name).read_bytes() != (small / name).read_bytes()


def test_a_complete_world_is_left_alone_and_a_broken_off_one_completed(small, tmp_path):
    assert write_world(str(small), SMALL, workers=1) is False
    write_world(str(tmp_path), SMALL, workers=1)
    (tmp_path / 'world.json').rename(tmp_path / 'world.json.part')
    (tmp_path / 'images/test/000003.jpg').unlink()
    (tmp_path / 'annotations/test_seen.json').unlink()
    kept = tmp_path / 'images/test/000004.jpg'
    before = kept.stat().st_mtime_ns
    assert write_world(str(tmp_path), SMALL, workers=1)
    assert kept.stat().st_mtime_ns == before
    assert digests(tmp_path) == digests(small)


@pytest.mark.parametrize('finished', [True, False])
def test_a_folder_with_another_world_is_refused(tmp_path, finished):
    manifest = OPTIONS._replace(seed=9).manifest()
    (tmp_path / ('world.json' if finished else 'world.json.part')).write_text(
        json.dumps(manifest))
    with pytest.raises(ValueError, match=r"differing: \['seed'\]"):
        write_world(str(tmp_path), OPTIONS, workers=1)


def test_a_fifth_of_the_pairs_is_held_out_and_every_word_stays_seen():
    assert len(held_out_pairs()) == round(len(all_pairs()) / 5)
    assert not set(held_out_pairs()) & set(seen_pairs())
    for words, index in ((COLOURS, 0), (SHAPES, 1)):
        for word in words:
            assert sum(pair[index] == word for pair in seen_pairs()) >= 6
            assert sum(pair[index] == word for pair in held_out_pairs()) >= 1


def test_no_training_text_holds_a_held_out_pair_or_synonym(world):
    texts = training_texts(world)
    found = set().union(*map(pairs_in, texts))
    assert len(found) > 30, 'the search must find seen pairs, or it proves nothing'
    assert not found & set(held_out_pairs())
    words = {word for text in texts for word in re.findall('[a-z]+', text)}
    synonyms = set(SYNONYMS.values())
    assert not words & (synonyms | {f'{s}s' for s in synonyms} | {f'{s}es' for s in synonyms})


def test_no_training_image_shows_a_held_out_pair(world):
    rng = np.random.default_rng(0)
    shown = {t.pair for _ in range(400) for t in sample_scene(rng, any_look(seen_pairs()), 96)}
    assert shown == set(seen_pairs())
    coco = load(world / 'annotations/train_detection.json')
    names = {c['id']: c['name'] for c in coco['categories']}
    drawn = {names[a['category_id']] for a in coco['annotations']}
    assert drawn and not drawn & {pair.name for pair in held_out_pairs()}


def test_training_boxes_of_held_out_colours_and_shapes_do_not_meet(world):
    """Read colours back from pixels: no red disc hides behind another label."""
    rows = load(world / 'annotations/train_detection.jsonl')
    label_map = load(world / 'annotations/label_map.json')
    checked = 0
    for row in rows:
        image = np.asarray(Image.open(world / 'images' / row['filename']), dtype=float)
        for instance in row['detection']['instances']:
            x1, y1, x2, y2 = instance['bbox']
            colour, shape = label_map[str(instance['label'])].split()
            if shape in ('ring', ):
                continue
            cx, cy = (x1 + x2) // 2, (y1 + y2) // 2
            patch = image[cy - 3:cy + 4, cx - 3:cx + 4].reshape(-1, 3)
            distance = {c: np.abs(patch - rgb).sum(1).min() for c, rgb in COLOURS.items()}
            checked += 1
            assert min(distance, key=distance.get) == colour or distance[colour] < 60
    assert checked > 50


def test_coco_and_odvg_detection_files_say_the_same(world):
    coco = load(world / 'annotations/train_detection.json')
    names = {c['id']: c['name'] for c in coco['categories']}
    files = {i['id']: i['file_name'] for i in coco['images']}
    from_coco = sorted((files[a['image_id']], names[a['category_id']], a['bbox'][0], a['bbox'][1],
                        a['bbox'][0] + a['bbox'][2], a['bbox'][1] + a['bbox'][3])
                       for a in coco['annotations'])
    label_map = load(world / 'annotations/label_map.json')
    from_odvg = sorted((row['filename'], label_map[str(i['label'])], *i['bbox'])
                       for row in load(world / 'annotations/train_detection.jsonl')
                       for i in row['detection']['instances'])
    assert from_coco == from_odvg and len(from_coco) > 80


def test_phrases_stand_where_their_spans_say(world):
    several = 0
    for row in load(world / 'annotations/train_grounding.jsonl'):
        caption = row['grounding']['caption']
        for region in row['grounding']['regions']:
            (begin, end), = region['tokens_positive']
            assert caption[begin:end] == region['phrase']
            assert all(0 <= b[0] < b[2] <= row['width'] for b in region['bbox'])
            several += len(region['bbox']) > 1
    assert several > 5


def test_evaluation_views_split_the_boxes_and_share_the_prompt(world):
    views = {v: load(world / f'annotations/test_{v}.json')
             for v in ('seen', 'unseen', 'synonyms')}
    held = {pair.name for pair in held_out_pairs()}
    assert [c['name'] for c in views['seen']['categories']] == [p.name for p in all_pairs()]
    assert views['seen']['categories'] == views['unseen']['categories']
    assert all(v['images'] == views['seen']['images'] for v in views.values())

    def classes(view):
        names = {c['id']: c['name'] for c in view['categories']}
        return {names[a['category_id']] for a in view['annotations']}

    assert classes(views['unseen']) <= held and not classes(views['seen']) & held
    assert classes(views['unseen']) and classes(views['seen'])
    renamed = classes(views['synonyms'])
    assert renamed and all(set(n.split()) & set(SYNONYMS.values()) for n in renamed)
    assert not {p.synonym for p in held_out_pairs()} & renamed


def test_boxes_are_tight():
    thing = Thing(Pair('red', 'circle'), 'plain', 'large', 48., 40., 20.)
    _, (box, ) = draw_scene([thing], 96, np.random.default_rng(0))
    assert np.abs(np.array(box) - [28, 20, 68, 60]).max() <= 1
    cover = shape_mask(thing, 96)
    assert cover[40, 48] == 1 and cover[5, 5] == 0


def test_a_phrase_covers_every_object_it_fits():
    star = Pair('blue', 'star')
    things = [Thing(star, 'plain', 'small', x, 20., 8.) for x in (20., 70.)]
    for seed in range(20):
        caption = write_caption(things, np.random.default_rng(seed))
        assert [p.things for p in caption.phrases] == [(0, 1)]
        assert ' two ' in f' {caption.text} '


def test_relations_are_true():
    left = Thing(Pair('red', 'star'), 'plain', 'small', 20., 50., 8.)
    right = Thing(Pair('blue', 'ring'), 'plain', 'small', 70., 50., 8.)
    said = set()
    for seed in range(200):
        caption = write_caption([left, right], np.random.default_rng(seed))
        if len(caption.phrases) == 2:
            order = caption.phrases[0].things[0]
            between = caption.text[caption.spans[0][1]:caption.spans[1][0]]
            word = next((w for w in ('left of', 'right of', 'above', 'below') if w in between), '')
            said.add((order, word))
    assert {(0, 'left of'), (1, 'right of')} <= said
    assert not said & {(0, 'right of'), (1, 'left of')}
    assert not {word for _, word in said} & {'above', 'below'}


def test_an_impossible_shape_is_named():
    with pytest.raises(ValueError, match="'blob' has no drawing"):
        shape_mask(Thing(Pair('red', 'blob'), 'plain', 'small', 9., 9., 4.), 20)


def test_scenes_do_not_overlap():
    rng = np.random.default_rng(0)
    for _ in range(50):
        things = sample_scene(rng, any_look(all_pairs()), 160)
        for i, a in enumerate(things):
            for b in things[i + 1:]:
                assert max(abs(a.x - b.x), abs(a.y - b.y)) > a.radius + b.radius


def test_the_long_tail_is_annotated_as_lvis_is(world):
    content = load(world / 'annotations/long_tail.json')
    categories = {c['id']: c for c in content['categories']}
    assert len(categories) == len({c['name'] for c in categories.values()}) == 512
    kinds = [c['frequency'] for c in categories.values()]
    assert min(kinds.count(kind) for kind in 'rcf') >= 10
    for category in categories.values():
        limit = dict(r=(0, 10), c=(11, 100), f=(101, 5000))[category['frequency']]
        assert limit[0] <= category['image_count'] <= limit[1]
    shown = {}
    for annotation in content['annotations']:
        assert annotation['area'] == annotation['bbox'][2] * annotation['bbox'][3] > 0
        shown.setdefault(annotation['image_id'], set()).add(annotation['category_id'])
    incomplete = 0
    for image in content['images']:
        assert (world / 'images' / image['file_name']).is_file()
        assert image['coco_url'].endswith(f"/{image['file_name']}")
        assert len(set(image['neg_category_ids'])) == 10
        assert not set(image['neg_category_ids']) & shown[image['id']]
        assert set(image['not_exhaustive_category_ids']) <= shown[image['id']]
        incomplete += len(image['not_exhaustive_category_ids'])
    assert incomplete
    sizes = {c: [a['bbox'][2] for a in content['annotations']
                 if categories[a['category_id']]['name'].startswith(c)] for c in ('large', 'small')}
    assert min(sizes['large']) > max(sizes['small'])


def test_sentences_are_marked_as_flickr30k_entities(world):
    folder = world / 'annotations/entities'
    names = (folder / 'test.txt').read_text().split()
    assert names == [f'{i:06d}' for i in range(8)]
    kinds, scenes, shared = set(), 0, 0
    for name in names:
        lines = (folder / f'Sentences/{name}.txt').read_text().splitlines()
        assert 2 <= len(lines) <= 5 and len(set(lines)) == len(lines)
        boxes, seen = {}, set()
        for item in ElementTree.parse(folder / f'Annotations/{name}.xml').iter('object'):
            box = item.find('bndbox')
            boxes.setdefault(item.find('name').text, []).extend(
                [] if box is None else [[int(side.text) for side in box]])
        for line in lines:
            phrases = re.findall(r'\[/EN#(\d+)/(\S+) ([^]]+)]', line)
            assert phrases
            numbers = {number for number, *_ in phrases} - {'0'}
            shared += bool(numbers & seen)
            seen |= numbers
            for number, types, _ in phrases:
                kinds |= set(types.split('/'))
                scenes += number == '0'
                assert (len(boxes[number]) > 1) == ('groups' in types)
                assert bool(boxes[number]) == (types != 'scene')
        for x1, y1, x2, y2 in (box for own in boxes.values() for box in own):
            assert 1 <= x1 < x2 <= 97 and 1 <= y1 < y2 <= 97
    assert kinds == {'shapes', 'objects', 'groups', 'scene'} and scenes and shared
