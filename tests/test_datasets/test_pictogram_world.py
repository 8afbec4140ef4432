"""The pictogram world: who names what, and that boxes, words and styles are as they are said."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.grounding_world import write_world
from glip_mm.datasets.pictogram_world import (
    HYPERNYMS,
    PARTS,
    SYNONYMS,
    PictogramOptions,
    read_vocabulary,
)
from glip_mm.datasets.pictogram_world.drawing import draw_scene
from glip_mm.datasets.pictogram_world.scene import Thing
from glip_mm.datasets.pictogram_world.words import plural
from tests import forked

NAMED = {'dog': 'animal-mammal', 'cow': 'animal-mammal', 'airplane': 'transport-air',
         'banana': 'food-fruit', 'tangerine': 'food-fruit', 'scissors': 'office',
         'automobile': 'transport-ground', 'guitar': 'musical-instrument'}
OTHERS = {'lion': 'animal-mammal', 'lemon': 'food-fruit', 'tennis': 'sport',
          'red apple': 'food-fruit', 'dagger': 'tool', 'ant': 'animal-bug',
          'taco': 'food-prepared', 'jar': 'dishware',
          'police car': 'transport-ground', 'racing car': 'transport-ground',
          'horse racing': 'sport', 'police officer': 'person-role',
          'railway car': 'transport-ground', 'door': 'household',
          'railway track': 'transport-ground', 'chess pawn': 'game', 'joker': 'game',
          'drum': 'musical-instrument', 'harp': 'musical-instrument', 'tulip': 'plant-flower',
          'lotus': 'plant-flower', 'camel': 'animal-mammal', 'goat': 'animal-mammal',
          'owl face': 'animal-bird', 'bagel': 'food-prepared', 'pie': 'food-sweet',
          'sled': 'sport', 'skis': 'sport', 'yarn': 'arts&crafts', 'hut': 'place-building',
          'bank': 'place-building', 'mosque': 'place-religious'}
COLOURS = dict(old=(200, 40, 40), other=(190, 60, 30), new=(40, 40, 200))


@pytest.fixture(scope='module')
def pictograms(tmp_path_factory) -> Path:
    """Draw two families of reddish and one of blue pictograms."""
    root = tmp_path_factory.mktemp('pictograms')
    things = []
    for i, (name, subgroup) in enumerate({**NAMED, **OTHERS}.items()):
        things.append(dict(id=f'1f{i:03x}', name=name, group='Objects', subgroup=subgroup,
                           keywords=[f'{name} word', 'thing']))
        for family, colour in COLOURS.items():
            image = Image.new('RGBA', (40, 32))
            draw = ImageDraw.Draw(image)
            draw.rectangle([4, 4, 35, 27], fill=colour)
            draw.line([8, 8, 12 + i % 20, 8 + i % 16], fill=(250, 250, 250), width=2)
            path = root / family / f'1f{i:03x}.png'
            path.parent.mkdir(exist_ok=True)
            image.save(path)
    text = json.dumps(dict(families=list(COLOURS), things=things))
    (root / 'pictograms.json').write_text(text)
    return root


@pytest.fixture(scope='module')
def options(pictograms, tmp_path_factory) -> PictogramOptions:
    photos = tmp_path_factory.mktemp('photos')
    for i in range(10):
        grey = np.random.default_rng(i).integers(90, 160, (60, 80), dtype=np.uint8)
        Image.fromarray(grey).convert('RGB').save(photos / f'{i}.jpg')
    return PictogramOptions(str(pictograms), str(photos), gold_detection=20, gold_captions=150,
                            pool=150, val=2, test=40, side=96, seed=1)


@pytest.fixture(scope='module')
def world(options, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('world')
    assert write_world(str(root), options, workers=1)
    assert not write_world(str(root), options, workers=1)
    return root


def lines(path: Path) -> list:
    return [json.loads(line) for line in path.read_text().splitlines()]


def words(texts) -> set[str]:
    return {word for text in texts for word in re.findall("[a-z']+", text)}


def training_texts(world: Path) -> list[str]:
    folder = world / 'annotations'
    return [*(row['grounding']['caption'] for row in lines(folder / 'gold_captions.jsonl')),
            *(row['caption'] for row in lines(folder / 'pool.jsonl')),
            *json.loads((folder / 'label_map.json').read_text()).values()]


def test_every_word_has_one_meaning():
    spoken = [word for said, unsaid in SYNONYMS.values() for word in said]
    unspoken = [word for said, unsaid in SYNONYMS.values() for word in unsaid]
    assert len(SYNONYMS) > 100 and sum(bool(unsaid) for _, unsaid in SYNONYMS.values()) > 70
    everything = [*spoken, *unspoken, *SYNONYMS, *HYPERNYMS]
    assert len(everything) == len(set(everything))


def test_parts_of_the_vocabulary(pictograms):
    vocabulary = read_vocabulary(str(pictograms))
    parts = {part: {kind.name for kind in vocabulary.of(part)} for part in PARTS}
    assert parts['named'] == set(NAMED) and all(parts.values())
    assert sum(map(len, parts.values())) == len(vocabulary.kinds) == len(NAMED) + len(OTHERS)
    named = [kind.name for kind in vocabulary.kinds[:len(NAMED)]]
    assert named == [name for name in SYNONYMS if name in NAMED]
    said = words(name for part in PARTS[:3] for name in parts[part])
    assert words(parts['compounds']) <= said
    assert not words(parts['unnamed']) & said - {'face'}


@pytest.mark.parametrize('name, many', [
    ('dog', 'dogs'), ('mouse', 'mice'), ('bus', 'buses'), ('slice of pizza', 'slices of pizza'),
    ('kitchen knife', 'kitchen knives'), ('baby', 'babies'), ('key', 'keys'), ('torch', 'torches'),
    ('scissors', 'scissors'), ('person lifting weights', 'people lifting weights'),
    ('nut and bolt', 'nut and bolt'), ('compass', 'compasses')])
def test_plurals(name, many):
    assert plural(name) == many


def test_what_is_held_out_is_in_no_training_text(world, pictograms):
    said = training_texts(world)
    everything = words(said)
    vocabulary = read_vocabulary(str(pictograms))
    for kind in vocabulary.of('compounds', 'unnamed'):
        assert not any(re.search(rf'\b{kind.name}', text) for text in said), kind.name
    held_out = [word for kind in vocabulary.kinds for word in kind.unspoken_synonyms]
    held_out += [word for word, entry in HYPERNYMS.items() if not entry.spoken]
    assert len(held_out) > 20 and not words(held_out) & everything
    # and what is spoken is
    assert {'animal', 'animals', 'fruit', 'car', 'plane', 'left', 'two', 'blue'} <= everything


def test_gold_and_pool_name_more_and_more(world, pictograms):
    folder = world / 'annotations'
    vocabulary = read_vocabulary(str(pictograms))
    labels = json.loads((folder / 'label_map.json').read_text())
    assert set(labels.values()) == set(NAMED)
    boxes = [box for row in lines(folder / 'gold_detection.jsonl')
             for box in row['detection']['instances']]
    assert boxes and all(labels[str(box['label'])] == box['category'] for box in boxes)
    gold = ' '.join(row['grounding']['caption'] for row in lines(folder / 'gold_captions.jsonl'))
    pool = [row['caption'] for row in lines(folder / 'pool.jsonl')]
    for part, shown in (('captioned', True), ('pool', False)):
        found = [kind.name in gold for kind in vocabulary.of(part)]
        assert (sum(found) > len(found) / 2) if shown else not any(found)
    assert sum(any(kind.name in text for text in pool) for kind in vocabulary.of('pool')) > 5
    assert any(text.endswith(', thing') or ' word' in text for text in pool)


def test_spans_are_the_phrases_and_groups_have_all_boxes(world):
    rows = [row['grounding'] for row in lines(world / 'annotations/gold_captions.jsonl')]
    several = 0
    for row in rows:
        for region in row['regions']:
            (begin, end), = region['tokens_positive']
            assert row['caption'][begin:end] == region['phrase']
            for x1, y1, x2, y2 in region['bbox']:
                assert 0 <= x1 < x2 <= 96 and 0 <= y1 < y2 <= 96
            count = dict(two=2, three=3, four=4).get(row['caption'][:begin].split(' ')[-2:][0], 0)
            several += count > 0
            assert count in (0, len(region['bbox']))
    assert several > 10


def test_views_share_names_and_divide_the_boxes(world, pictograms):
    folder, vocabulary = world / 'annotations', read_vocabulary(str(pictograms))
    views = {part: json.loads((folder / f'test_{part}.json').read_text()) for part in PARTS}
    names = [row['name'] for row in views['named']['categories']]
    assert names == [kind.name for kind in vocabulary.kinds]
    for part, view in views.items():
        assert view['categories'] == views['named']['categories'] and view['annotations']
        assert {vocabulary.kinds[a['category_id'] - 1].part for a in view['annotations']} == {part}
    few, synonyms, hypernyms, spoken = (
        json.loads((folder / f'test_{view}.json').read_text())
        for view in ('few', 'synonyms', 'hypernyms', 'spoken_hypernyms'))
    asked = {row['id']: row['name'] for row in synonyms['categories']}
    assert 'canine' in asked.values() and 'dog' not in asked.values()
    assert len(few['annotations']) == len(views['named']['annotations'])
    assert hypernyms['categories'] == spoken['categories']
    boxes = {(a['image_id'], *a['bbox']) for a in spoken['annotations']}
    animals = [a for part in PARTS for a in views[part]['annotations']
               if 'animal' in vocabulary.kinds[a['category_id'] - 1].hypernyms]
    assert animals and all((a['image_id'], *a['bbox']) in boxes for a in animals)


def test_only_the_last_family_is_new(options):
    for split, styles in (('pool', {'old', 'other'}), ('test', {'old', 'other'}),
                          ('test_style', {'new'})):
        found = [thing.style for i in range(20)
                 for thing in options.draw(split, np.random.default_rng(i))[1]]
        assert set(found) == styles


def test_boxes_are_of_what_is_visible(pictograms):
    kind = read_vocabulary(str(pictograms)).kinds[0]

    def thing(x):
        return Thing(kind, 'new', '', 'large', x, 50, 20, 0., False)

    def draw(*things):
        return draw_scene(things, str(pictograms), (), 100, np.random.default_rng(0))

    image, _, boxes = draw(thing(30))
    x1, y1, x2, y2 = boxes[0]
    blue = (image[..., 2].astype(int) - image[..., 0]) > 60
    rows, columns = np.nonzero(blue)
    # but for its white line, in the corner of the drawing's second shade
    assert abs(np.array([columns.min() - x1, rows.min() - y1, columns.max() + 1 - x2,
                         rows.max() + 1 - y2])).max() <= 1
    assert x2 - x1 == 40
    _, things, boxes = draw(thing(30), thing(60))
    assert boxes[0] == (10, y1, 40, y2) and boxes[1] == (40, y1, 80, y2)
    # three quarters of it covered: nobody's box, and no thing of a caption
    _, things, boxes = draw(thing(30), thing(40))
    assert len(things) == len(boxes) == 1 and things[0].x == 40


def test_files_depend_on_options_alone(world, options, tmp_path):
    write_world(str(tmp_path), options, workers=2)
    files = sorted(p.relative_to(world) for p in world.rglob('*') if p.is_file())
    assert len(files) > 400
    assert all((world / p).read_bytes() == (tmp_path / p).read_bytes() for p in files)
    with pytest.raises(ValueError, match=r"other options .*\['photo_names', 'photos'\]"):
        write_world(str(world), options._replace(photos=''))


def test_what_cannot_be_drawn_is_said(options, tmp_path):
    with pytest.raises(DataError, match='python -m dev.pictograms makes the folder'):
        write_world(str(tmp_path / 'a'), options._replace(pictograms=str(tmp_path)))
    with pytest.raises(DataError, match='holds no images'):
        write_world(str(tmp_path / 'a'), options._replace(photos=str(tmp_path)))
    thing = dict(id='../1', name='dog', group='Objects', subgroup='tool', keywords=[])
    for row, said in ((dict(id='1'), "lacks 'name'"), (thing, "has '../1' for a family or an id"),
                      (dict(thing, id='1'), 'has 1 things, too few for captioned, pool')):
        folder = tmp_path / str(len(said))
        folder.mkdir()
        (folder / 'pictograms.json').write_text(json.dumps(dict(families=['a', 'b'],
                                                                things=[row])))
        with pytest.raises(DataError, match=said):
            write_world(str(tmp_path / 'b'), options._replace(pictograms=str(folder)))


def test_command(world, options):
    tool = Path(__file__).parents[2] / 'tools/misc/make_grounding_world.py'
    wrong = forked.run(tool, '--kind', 'pictograms')
    assert wrong.returncode == 2 and 'needs --pictograms FOLDER' in wrong.stderr
    given = [f'--{name.replace("_", "-")}={value}' for name, value in options._asdict().items()]
    found = forked.run(tool, '--kind', 'pictograms', '--out', world, *given)
    assert found.returncode == 0 and 'found 402 images' in found.stdout
