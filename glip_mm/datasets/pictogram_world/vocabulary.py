"""Things of the pictogram world: their names, and who names them."""

import re
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from glip_mm.datasets.data_error import DataError, read_json

from .words import HYPERNYMS, SYNONYMS

INDEX = 'pictograms.json'
#: Parts of the vocabulary: named by gold boxes; by gold captions, too; by captions without boxes
#: alone; by nothing, but made of words that others have; by nothing.
PARTS = ('named', 'captioned', 'pool', 'compounds', 'unnamed')
CAPTIONED, COMPOUNDS, UNNAMED = 200, 40, 40

#: Unicode subgroups that are no things with a look of their own.
_NO_THINGS = re.compile(
    'face-|cat-face|monkey-face|emotion|heart|hand-|hands|person-(gesture|activity|resting|symbol)'
    '|person$|family|time|sky|place-map|sound|subdivision|money')
_GROUPS = ('Smileys & Emotion', 'People & Body', 'Animals & Nature', 'Food & Drink',
           'Travel & Places', 'Activities', 'Objects')
#: Things of the subgroups above that are used all the same.
_KEPT = frozenset((
    'skull', 'ghost', 'alien', 'robot', 'clown face', 'ogre', 'goblin', 'love letter',
    'broken heart', 'red heart', 'thumbs up', 'raised fist', 'victory hand', 'baby', 'watch',
    'alarm clock', 'stopwatch', 'timer clock', 'mantelpiece clock', 'hourglass done',
    'crescent moon', 'full moon', 'thermometer', 'ringed planet', 'star', 'cloud', 'tornado',
    'rainbow', 'closed umbrella', 'umbrella', 'snowflake', 'snowman', 'comet', 'fire', 'droplet',
    'sun', 'high voltage', 'world map', 'compass', 'megaphone', 'bell', 'postal horn',
    'loudspeaker', 'money bag', 'coin', 'dollar banknote', 'credit card', 'receipt'))
#: Names that say too little, what other things are called as well, or what photos may show.
_LEFT_OUT = frozenset((
    'raccoon', 'bird', 'fish', 'bug', 'blossom', 'fog', 'foggy', 'mate', 'moai', 'hamsa', 'link',
    'seat', 'person', 'white flower', 'wilted flower', 'oden', 'cooking', 'wedding', 'station',
    'construction', 'page with curl', 'page facing up', 'label', 'label tag', 'memo', 'eyes',
    'front-facing baby chick', 'magnifying glass tilted right', 'open mailbox with lowered flag',
    'closed mailbox with lowered flag', 'hourglass not done', 'milky way', 'purse', 'coffin lid',
    'tea', 'cricket game', 'camera with flash', 'ticket', 'clinking beer mugs'))
_COLOURS = re.compile(r'\b(red|orange|yellow|green|blue|purple|pink|black|white|brown|gr[ea]y)\b')


class Kind(NamedTuple):
    """A kind of thing.

    Attributes:
        id: Code points of the emoji, the name of its files.
        name: Its name, in Unicode's words.
        subgroup: Its Unicode subgroup.
        keywords: Words that Unicode files it under.
        part: One of :data:`PARTS`.
    """

    id: str
    name: str
    subgroup: str
    keywords: tuple[str, ...]
    part: str

    @property
    def hypernyms(self) -> list[str]:
        """Return all hypernyms that name it."""
        return [word for word, entry in HYPERNYMS.items() if entry.fits(self.name, self.subgroup)]

    @property
    def spoken_synonyms(self) -> tuple[str, ...]:
        """Return the synonyms that captions may use."""
        return SYNONYMS.get(self.name, ((), ()))[0]

    @property
    def unspoken_synonyms(self) -> tuple[str, ...]:
        """Return the synonyms that no training text has."""
        return SYNONYMS.get(self.name, ((), ()))[1]

    @property
    def has_colour(self) -> bool:
        """Return whether the name holds a colour, so that it is drawn in no other."""
        return bool(_COLOURS.search(self.name))


def _is_thing(row: dict) -> bool:
    name = row['name']
    if name in _KEPT or name in SYNONYMS:
        return True
    return (row['group'] in _GROUPS and not _NO_THINGS.match(row['subgroup'])
            and name not in _LEFT_OUT and name not in HYPERNYMS
            and not re.search(r'[^a-zA-Z\' -]|^(wo)?m[ae]n |button', name)
            and len(name.split()) <= 4)


def _words(name: str) -> set[str]:
    return {word for word in re.findall('[a-z]+', name.lower()) if len(word) > 2}


def _shuffled(names: list[str]) -> list[str]:
    """Order names in a way that looks random and depends on each name alone."""
    return sorted(names, key=lambda name: zlib.crc32(name.encode()))


def divide(names: list[str]) -> dict[str, str]:
    """Divide a vocabulary: name -> one of :data:`PARTS`.

    Things that detection data name are those of :data:`~.words.SYNONYMS`. Compounds are never
    named, and each of their words is in the name of a thing that is.
    """
    parts = {name: 'named' for name in names if name in SYNONYMS}
    others = [name for name in _shuffled(names) if name not in parts]
    never: list[str] = []
    for name in others:
        rest = set(names) - {name, *never}
        if (len(never) < min(COMPOUNDS, len(names) // 20) and len(name.split()) > 1
                and _words(name) <= set().union(*map(_words, rest))):
            never.append(name)
    parts.update(dict.fromkeys(never, 'compounds'))
    # what later compounds took from earlier ones must still be said by something
    others = [name for name in others if name not in parts]
    needed = set().union(*map(_words, never)) if never else set()
    free = [name for name in others if not _words(name) & needed]
    parts.update(dict.fromkeys(free[:min(UNNAMED, len(names) // 20)], 'unnamed'))
    others = [name for name in others if name not in parts]
    captioned = min(CAPTIONED, len(others) // 3)
    parts.update(dict.fromkeys(others[:captioned], 'captioned'))
    parts.update(dict.fromkeys(others[captioned:], 'pool'))
    return parts


class Vocabulary(NamedTuple):
    """Things of a folder of pictograms, in the order of their category ids, and its families."""

    kinds: tuple[Kind, ...]
    families: tuple[str, ...]

    def of(self, *parts: str) -> list[Kind]:
        """List the things of some parts."""
        return [kind for kind in self.kinds if kind.part in parts]


@lru_cache(maxsize=2)
def read_vocabulary(folder: str) -> Vocabulary:
    """Read the vocabulary of a folder of pictograms.

    Raises:
        DataError: If the folder has no index, or it lacks what it must have.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        raise DataError(f"'{folder}' has no {INDEX}: python -m dev.pictograms makes the folder")
    content = read_json(path)
    try:
        families = tuple(str(family) for family in content['families'])
        rows: dict[str, dict] = {}
        for row in content['things']:
            name = str(row['name']).replace('’', "'").lower()
            rows.setdefault(name, dict(row, name=name))
        kept = {name: row for name, row in rows.items() if _is_thing(row)}
        parts = divide(list(kept))
        kinds = [Kind(row['id'], name, row['subgroup'],
                      tuple(str(word) for word in row['keywords']), parts[name])
                 for name, row in kept.items()]
        for word in (*families, *(kind.id for kind in kinds)):
            if not re.fullmatch('[a-z0-9_-]+', word):
                raise DataError(f"'{path}' has {word!r} for a family or an id, which are names of "
                                'files in small letters: make the folder anew')
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"'{path}' lacks {error} of families, things, or a thing's id, name, "
                        'group, subgroup or keywords: make the folder anew') from error
    if len(families) < 2:
        raise DataError(f"'{path}' has the families {list(families)}: two are needed, as test "
                        'images in a new style show the last one')
    order = {name: i for i, name in enumerate(SYNONYMS)}
    # things that detection data name come first, in the order of their labels
    kinds.sort(key=lambda kind: (PARTS.index(kind.part), order.get(kind.name, 0)))
    return Vocabulary(tuple(kinds), families)
