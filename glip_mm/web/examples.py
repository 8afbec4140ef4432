"""Examples of the page: test pictures of the grounding world, with their words."""

import json
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .texts import CAPTION, NAMES, mark


class Example(NamedTuple):
    """A picture and what to look for in it."""

    image: str
    kind: str
    text: str


def quickstart_examples(world: Path, count: int = 3) -> list[Example]:
    """Choose the first test pictures that show two things or more.

    Args:
        world: Folder of ``tools/misc/make_grounding_world.py``.
        count: Number of pictures with names (of pairs that training lacks), and of pictures with
            captions.

    Returns:
        Examples; none if the world is not there.
    """
    unseen, phrases = (world / 'annotations' / name for name in (
        'test_unseen.json', 'test_phrases.jsonl'))
    if not (unseen.is_file() and phrases.is_file()):
        return []
    content = json.loads(unseen.read_text(encoding='utf-8'))
    names = '. '.join(category['name'] for category in content['categories'])
    files = {image['id']: image['file_name'] for image in content['images']}
    shown = [annotation['image_id'] for annotation in content['annotations']]
    rich = [image for image in files if shown.count(image) > 1]
    examples = [Example(str(world / 'images' / files[image]), NAMES, names)
                for image in rich[:count]]
    with open(phrases, encoding='utf-8') as lines:
        rows = (json.loads(line) for line in lines)
        several = (row for row in rows if len(row['grounding']['regions']) > 1)
        for row in islice(several, count):
            spans = [(begin, end) for region in row['grounding']['regions']
                     for begin, end in region['tokens_positive']]
            examples.append(Example(str(world / 'images' / row['filename']), CAPTION,
                                    mark(row['grounding']['caption'], spans)))
    return examples
