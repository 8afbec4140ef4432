"""The prompt: a caption, and the character spans of every class or phrase in it."""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from numbers import Integral
from typing import Any, NamedTuple

from .caption_prompt import CaptionPrompt, overrides_by_position
from .names import check_names, clean_name, is_blank, split_custom_entities
from .spans import Span, check_caption, check_spans, flatten_spans, is_pair, word_spans


class Entity(NamedTuple):
    """A class or phrase of a prompt."""
    #: Name in results: the raw class name, or the words of the phrase.
    name: str
    #: ``[begin, end)`` character ranges of the caption; may be empty (such an entity scores 0).
    spans: tuple[Span, ...]


#: Holds the place of a label that no phrase has, see :meth:`Prompt.from_data_sample`.
GAP = Entity('', ())


@dataclass(frozen=True)
class Prompt:
    """A caption and the entities in it; a label is an index into ``entities``.

    Use the ``from_*`` constructors, which validate. After construction it no longer matters
    whether a prompt came from class names, a caption with spans, or a noun-phrase finder.

    Args:
        caption: Text that the language model reads.
        entities: Classes or phrases with their character spans.
        pieces: For prompts joined from names, the character range of each entity together with
            its own prefix and suffix, so that the prompt can be cut (see :meth:`select`);
            ``None`` for captions, which can't be.
        separator: Text between two pieces.
    """
    caption: str
    entities: tuple[Entity, ...]
    pieces: tuple[Span, ...] | None = None
    separator: str = '. '

    def __deepcopy__(self, memo: dict) -> 'Prompt':
        # immutable, and data samples copy their metainfo again and again
        return self

    @property
    def names(self) -> list[str]:
        """Return the name of every entity, in label order."""
        return [entity.name for entity in self.entities]

    @classmethod
    def from_names(cls,
                   names: Sequence[str],
                   separator: str = '. ',
                   caption_prompt: CaptionPrompt | None = None,
                   clean: bool = True) -> 'Prompt':
        """Join class names to a detection prompt, recording the span of each.

        Args:
            names: Class names; equal names stay separate entities.
            separator: Text between names, not after the last (the released models' convention).
            caption_prompt: Overrides with any of the keys ``prefix``, ``name``, ``suffix``:
                either ``{class name: override}`` (MMDetection) or a list by position whose
                entries may be ``None`` (GLIP's ``CAPTION_PROMPT``). An override's ``name`` is
                used verbatim, as in the published evaluation.
            clean: Whether names are cleaned by :func:`clean_name`.

        Returns:
            A prompt whose entities keep the raw names.

        Raises:
            TypeError: If ``names`` is not a sequence of strings.
            ValueError: If there is no name, or an override is malformed.

        Example:
            >>> Prompt.from_names(['cat', 'remote_control']).caption
            'cat. remote control'
        """
        names = check_names(names)
        overrides = overrides_by_position(names, caption_prompt)
        caption, entities, pieces = '', [], []
        for index, (name, override) in enumerate(zip(names, overrides)):
            if index:
                caption += separator
            start = len(caption)
            caption += override.get('prefix', '')
            begin = len(caption)
            caption += override.get('name', clean_name(name) if clean else name)
            end = len(caption)
            caption += override.get('suffix', '')
            entities.append(Entity(name, ((begin, end), ) if begin < end else ()))
            pieces.append((start, len(caption)))
        if all(is_blank(caption[b:e]) for entity in entities for b, e in entity.spans):
            raise ValueError(f'none of the class names {names!r} holds a word; give names of '
                             'what to detect')
        return cls(caption, tuple(entities), tuple(pieces), separator)

    @classmethod
    def from_caption(cls,
                     caption: str,
                     spans: Sequence[Any],
                     names: Sequence[str] | None = None) -> 'Prompt':
        """Build a prompt from a caption with marked phrases.

        Args:
            caption: Text with the phrases.
            spans: List of ``[begin, end)`` characters for every phrase (a flat pair, or the
                deeper nesting of ODVG files, is accepted, too).
            names: Names of the phrases; default: their words.

        Raises:
            TypeError: If the caption is no string or ``spans`` no list.
            ValueError: If there is no phrase, a span is empty or outside the caption, or
                ``names`` has another length than ``spans``.

        Example:
            >>> Prompt.from_caption('a cat on a sofa', [[[0, 5]], [[9, 15]]]).names
            ['a cat', 'a sofa']
        """
        check_caption(caption)
        if hasattr(spans, 'tolist'):
            spans = spans.tolist()
        if not isinstance(spans, (list, tuple)):
            raise TypeError('spans must be a list with the spans [begin, end] of each phrase, got '
                            f'{spans!r}')
        spans = [spans] if is_pair(spans) else list(spans)
        if not spans:
            raise ValueError(f'no phrase is marked in the caption {caption!r}; give at least one '
                             'list of spans [begin, end]')
        names = None if names is None else check_names(names)
        if names is not None and len(names) != len(spans):
            raise ValueError(f'{len(names)} names were given for {len(spans)} phrases of the '
                             f'caption {caption!r}; names={list(names)!r}')
        entities = []
        for index, value in enumerate(spans):
            flat = flatten_spans(value, f'phrase {index} of the caption {caption!r}')
            check_spans(flat, caption, f'phrase {index}')
            words = ' '.join(caption[begin:end] for begin, end in flat)
            entities.append(Entity(words if names is None else names[index], tuple(flat)))
        return cls(caption, tuple(entities))

    @classmethod
    def from_noun_phrases(
            cls,
            caption: str,
            tagger: Callable[[list[str]], Sequence[str]] | None = None) -> 'Prompt':
        """Build a prompt from a caption whose noun phrases are found by a tagger.

        Args:
            caption: English text.
            tagger: Function from words to Penn Treebank tags; default: spaCy or textblob, see
                :class:`~.noun_phrases.NounPhraseFinder`.

        Raises:
            ImportError: If no tagger is given and none is installed.
            ValueError: If no phrase is found.
        """
        from .noun_phrases import find_noun_phrases
        check_caption(caption)
        phrases = find_noun_phrases(caption, tagger)
        if not phrases:
            raise ValueError(
                f'no noun phrase was found in the caption {caption!r}; mark the phrases yourself '
                'with spans (tokens_positive), or give a list of class names')
        return cls(caption, tuple(Entity(phrase, (span, )) for phrase, span in phrases))

    @classmethod
    def from_all_words(cls, caption: str) -> 'Prompt':
        """Build a prompt of one entity with all words of a caption (``tokens_positive=-1``)."""
        check_caption(caption)
        spans = tuple(word_spans(caption))
        if not spans:
            raise ValueError(f'the caption {caption!r} holds no word; give a text that names '
                             'something')
        return cls(caption, (Entity(caption.strip(), spans), ))

    @classmethod
    def from_data_sample(cls, sample: Any) -> 'Prompt':
        """Read the prompt of a data sample by MMDetection's conventions.

        Fields are used in this order: ``prompt`` (a :class:`Prompt`, used as it is); ``text`` as a
        tuple or list of names, with ``caption_prompt``; ``text`` as a caption with
        ``tokens_positive`` (spans per phrase, or ``-1``: all words are one entity); ``text`` as
        names separated by ``'. '`` if ``custom_entities``; otherwise ``text`` is a caption whose
        noun phrases are found.

        Args:
            sample: A ``DetDataSample``, a dict, or anything with ``get(key, default)``.

        Raises:
            ValueError: If the sample has no text or its fields contradict each other.
        """
        get = sample.get if hasattr(sample, 'get') else partial(getattr, sample)
        prompt = get('prompt', None)
        if prompt is not None:
            if not isinstance(prompt, cls):
                raise TypeError(f"data sample field 'prompt' must be a Prompt, got {prompt!r}; "
                                "plain names or captions go into 'text'")
            return prompt
        text = get('text', None)
        positive = get('tokens_positive', None)
        caption_prompt = get('caption_prompt', None)
        if text is None:
            raise ValueError("the data sample has neither 'prompt' nor 'text'; set "
                             "return_classes=True in the dataset and keep 'text' in the "
                             'meta_keys of PackDetInputs')
        if isinstance(text, Mapping):
            text = list(text.values())
        if isinstance(text, str) and positive is None and get('custom_entities', False):
            text = split_custom_entities(text)
        if not isinstance(text, str):
            if positive is not None:
                raise ValueError("tokens_positive marks phrases of a caption, but 'text' is the "
                                 f'list of names {list(text)!r}; give one or the other')
            if caption_prompt is None and isinstance(text, (list, tuple)) and all(
                    type(name) is str for name in text):
                return _of_names(tuple(text))
            return cls.from_names(text, caption_prompt=caption_prompt)
        if caption_prompt is not None:
            raise ValueError("caption_prompt changes class names, but 'text' is the caption "
                             f'{text!r}; set custom_entities=True or give a list of names')
        if positive is None:
            return cls.from_noun_phrases(text)
        if isinstance(positive, Integral):
            if positive != -1:
                raise ValueError('tokens_positive must be -1 (all words) or a list of spans per '
                                 f'phrase, got {positive!r}')
            return cls.from_all_words(text)
        if isinstance(positive, Mapping):
            return cls._from_label_spans(text, positive)
        return cls.from_caption(text, positive)

    @classmethod
    def _from_label_spans(cls, caption: str, spans: Mapping[Any, Any]) -> 'Prompt':
        """``{label: spans}``, as MMDetection's negative sampling leaves it: gaps are negatives."""
        known = {int(label): value for label, value in spans.items()}
        if not known:
            check_caption(caption)
            return cls(caption, ())
        labels = sorted(known)
        found = dict(zip(labels, cls.from_caption(caption, [known[i] for i in labels]).entities))
        return cls(caption, tuple(found.get(i, GAP) for i in range(labels[-1] + 1)))

    def select(self, indices: Sequence[int]) -> 'Prompt':
        """Select some of the entities, each with its own prefix and suffix, as a new prompt.

        Args:
            indices: Labels to keep, in their new order.

        Raises:
            ValueError: If the prompt is a caption, which can't be cut, or ``indices`` is empty.

        Example:
            >>> Prompt.from_names(['cat', 'dog', 'cow']).select([2, 0]).caption
            'cow. cat'
        """
        if self.pieces is None:
            raise ValueError(f'the caption {self.caption!r} is not a list of names and can not '
                             'be cut into several prompts; shorten it')
        if not len(indices):
            raise ValueError('select() needs at least one entity index, got none')
        caption, entities, pieces = '', [], []
        for position, index in enumerate(indices):
            if position:
                caption += self.separator
            start, stop = self.pieces[index]
            shift = len(caption) - start
            entity = self.entities[index]
            entities.append(Entity(entity.name,
                                   tuple((b + shift, e + shift) for b, e in entity.spans)))
            pieces.append((start + shift, stop + shift))
            caption += self.caption[start:stop]
        return Prompt(caption, tuple(entities), tuple(pieces), self.separator)

    def with_names(self, names: Sequence[str]) -> 'Prompt':
        """Append class names; they are the last entities of the new prompt.

        Args:
            names: Class names.

        Raises:
            TypeError, ValueError: See :meth:`from_names`.

        Example:
            >>> Prompt.from_names(['car']).with_names(['red car']).caption
            'car. red car'
        """
        more = Prompt.from_names(names, self.separator)
        shift = len(self.caption) + len(self.separator)

        def moved(spans: Sequence[Span]) -> tuple[Span, ...]:
            return tuple((begin + shift, end + shift) for begin, end in spans)
        entities = tuple(Entity(name, moved(spans)) for name, spans in more.entities)
        return Prompt(self.caption + self.separator + more.caption, self.entities + entities,
                      None if self.pieces is None else self.pieces + moved(more.pieces or ()),
                      self.separator)


@lru_cache(maxsize=16)
def _of_names(names: tuple[str, ...]) -> Prompt:
    """Join class names; the same ones come with image after image, and may be very many."""
    return Prompt.from_names(names)
