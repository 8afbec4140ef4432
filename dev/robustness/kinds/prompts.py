"""What users write about classes: prompts, candidates, knowledge files, and texts to look for."""

import json
import math
from pathlib import Path
from typing import Any

from dev.robustness.mutations import DAMAGE, VALUES, dump, places, put
from dev.robustness.tries import Place, Try, equals
from dev.robustness.world import World

TITLE = 'prompts, candidates, knowledge files, texts'
_CLASSES = ['cat', 'hot dog']
_BOMB = ('a: &a [x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'{b}: &{b} [{", ".join([f"*{a}"] * 9)}]\n' for a, b in zip('abcdefgh', 'bcdefghi')))
_PROMPTS = {'cat': dict(phrase='kitten', prefix='a small ', suffix=' indoors'),
            'hot dog': dict(synonyms=['sausage', 'frankfurter'])}
_CANDIDATES = {'cat': ['a {}', 'kitten', dict(phrase='kitty', suffix=' indoors')],
               'hot dog': ['sausage']}
_KNOWLEDGE = {'cat': dict(clean_name='cat', def_wiki='a small animal', gpt3=['it purrs', 'soft']),
              'hot dog': dict(clean_name='hot dog', def_wiki='a meal', gpt3=['eaten'])}
_NAMES = ['cat', 'a.b', 'Zoë', '猫', 'hot dog', 'x' * 400, 'remote_control', '(red) ball', "it's",
          'a/b', '🐶', 'tab\tstop', '[CLS]', '[MASK] dog', '<img>', '{}', '%s', 'cat, dog', '日本']


def prepare(world: World) -> None:
    """Keep an inferencer."""
    from glip_mm.apis import GLIPInferencer
    world.kept['inferencer'] = GLIPInferencer(world.model, cfg=world.config, show_progress=False)


def make(place: Place) -> Try:
    """Make one of the files, or a text."""
    return place.rng.choice([_file, _file, _texts, _spans])(place)


def _prompts_of(path: Path) -> Any:
    from glip_mm.finetuning.class_prompts import read_class_prompts
    return tuple(read_class_prompts(path, _CLASSES))


def _candidates_of(path: Path) -> Any:
    from glip_mm.finetuning.prompt_candidates import read_candidates
    return read_candidates(path, _CLASSES)


def _knowledge_of(path: Path) -> Any:
    from glip_mm.text.knowledge import Knowledge
    found = Knowledge(path, ['def_wiki', 'gpt3'])
    return {name: tuple(found(name) or ()) for name in _CLASSES}


_RIGHT: dict[str, Any] = {
    'prompts': ({'cat': dict(name='kitten', prefix='a small ', suffix=' indoors')},
                {'hot dog': ['sausage', 'frankfurter']}),
    'candidates': {'cat': [dict(prefix='a '), dict(name='kitten'),
                           dict(name='kitty', suffix=' indoors')],
                   'hot dog': [dict(name='sausage')]},
    'knowledge': {'cat': ('cat', 'a small animal it purrs soft'),
                  'hot dog': ('hot dog', 'a meal eaten')}}


def _file(place: Place) -> Try:
    rng = place.rng
    kind, read, content = rng.choice([
        ('prompts', _prompts_of, _PROMPTS), ('candidates', _candidates_of, _CANDIDATES),
        ('knowledge', _knowledge_of, _KNOWLEDGE)])
    suffix = '.json' if kind == 'prompts' else rng.choice(['.json', '.yaml', '.yml'])
    path, right, drawn = place.folder / f'words{suffix}', _RIGHT[kind], rng.random()
    named: tuple[str, ...] = (path.name, )
    text = json.dumps(content)
    if drawn < .2:
        what = rng.choice(['another order', 'indented', 'escapes', 'CRLF'])
        content = {key: content[key] for key in reversed(list(content))}
        text = json.dumps(content, indent=1 if what in ('indented', 'CRLF') else None,
                          ensure_ascii=what == 'escapes')
        path.write_bytes(text.replace('\n', '\r\n' if what == 'CRLF' else '\n').encode())
        return Try(f'{kind}: {what}', lambda: read(path), equals(right))
    if drawn < .4:
        cause = rng.choice(sorted(set(DAMAGE) - {'a number of 5,000 digits'}))
        data = DAMAGE[cause](rng, text.encode())
        if suffix != '.json' and cause in ('cut off', 'another format'):
            data = b'cat: [1, 2'
        path.write_bytes(data)
        return Try(f'{kind}: damage: {cause}', lambda: read(path), None, named)
    if drawn < .5 and suffix != '.json':
        what, text = rng.choice([
            ('code', f'cat: !!python/object/apply:os.system ["touch {place.outside}/c"]'),
            ('an object', 'cat: !!python/name:os.system'), ('a bomb', _BOMB),
            ('keys that are numbers', '1: [a]\n2: [b]'), ('several documents', 'a: [b]\n---\nc: d'),
            ('nesting', 'cat: ' + '[' * 5000 + ']' * 5000), ('a loop', 'cat: &a [*a]')])
        path.write_text(text)
        return Try(f'{kind}: YAML with {what}', lambda: read(path), None, named)
    path_in = rng.choice(list(places(content)))
    value = rng.choice(VALUES)
    path.write_text(dump(put(content, path_in, value)))
    what = f'{kind}: {path_in} is {value!r:.40}'
    # a text where a text belongs is a value; all else must be refused, or stands for nothing
    words = suffix != '.json' and isinstance(value, float) and not math.isfinite(value)
    # NaN and Infinity are words in YAML
    texts = words or isinstance(value, str) and not value.startswith('@')
    empty = value is None or value in ('', ' ', [], {}) if not isinstance(value, float) else False
    listed = isinstance(value, (list, dict)) and not empty

    def plain(found: Any) -> str | None:
        flat = json.dumps(found, default=str)
        if not texts and not empty and not listed and str(value) in flat and str(value) != '7':
            return f'{value!r:.60} was taken as words: {flat[:200]}'
        return None
    accepted = texts or empty or listed or kind == 'knowledge' and path_in[-1] not in (
        'clean_name', 'def_wiki', 'gpt3')
    return Try(what, lambda: read(path), plain if accepted else None, named)


def _texts(place: Place) -> Try:
    rng = place.rng
    names = rng.sample(_NAMES, rng.randrange(1, 6))
    picture = str(place.world.folder / '0.png')
    bad = rng.choice([None, None, '', ' ', '\u200b', 7, None])
    if bad is not None:
        names.insert(rng.randrange(len(names) + 1), bad)

    def act() -> tuple[list[str], list[str]]:
        from mmengine.logging import MMLogger
        said: list[str] = []
        MMLogger.get_current_instance().warning = (
            lambda text, *more: said.append(text % more if more else text))
        result = place.world.kept['inferencer'](picture, names)['predictions'][0]
        return sorted(set(result.names)), said

    def wrong(found: tuple[list[str], list[str]]) -> str | None:
        more = set(found[0]) - set(names)
        if more:
            return f'names {sorted(more)} that nobody asked for'
        return None if bad is None or found[1] else 'a blank name without a word'
    if bad is None:
        return Try(f'names {names!r:.80}', act, wrong)
    # published vocabularies have blank names: they are warned of, and cost the others nothing
    refusal = ('texts', ) if type(bad) is int else ('', )
    return Try(f'names {names!r:.80}', act, None if type(bad) is int else wrong, refusal,
               (ValueError, TypeError))


def _spans(place: Place) -> Try:
    from glip_mm.apis.prompts import make_prompt
    rng, caption = place.rng, 'a dog on a mat'
    good = [[[0, 5]], [[9, 14]]]
    if rng.random() < .3:
        return Try('spans of a caption', lambda: make_prompt(caption, good).names,
                   equals(['a dog', 'a mat']))
    path = rng.choice(list(places(good)))
    value = rng.choice(VALUES[:-2])
    spans = put(good, path, value)

    def wrong(found: Any) -> str | None:
        return None if all(name and name in caption for name in found) else f'names {found}'
    # a number may be another valid end, and a list of spans a phrase
    valid = type(value) is int and len(path) == 3 and (
        0 <= value < good[path[0]][0][1] if path[2] == 0 else
        good[path[0]][0][0] < value <= len(caption))
    return Try(f'spans {spans!r:.80}', lambda: make_prompt(caption, spans).names,
               wrong if valid else None, None if valid else ('', ), (ValueError, TypeError))
