"""Prompts of images from the texts that users write."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from os import PathLike
from typing import Any

from mmengine.logging import MMLogger

from glip_mm.text import Prompt
from glip_mm.text.names import read_names
from glip_mm.thresholds import Thresholds

#: Types that :func:`make_prompt` accepts.
Texts = str | Sequence[str] | PathLike | Prompt


def make_prompt(texts: Texts,
                spans: Any = None,
                custom_entities: bool = False) -> Prompt:
    """Make a prompt in the same way as a test data set.

    Args:
        texts: A list of class names; a caption; with ``custom_entities``, names in one
            string (``'cat. remote control'``); ``'$: coco'``, the class names of a data set
            that MMDetection knows; a ``Path`` of a text file with one name a line; or a prompt,
            returned as it is.
        spans: Phrases of a caption: for each a list of ``[begin, end)`` characters, or -1 for the
            whole caption as one phrase. Default: its noun phrases are looked up.
        custom_entities: Whether a string holds names.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If ``texts`` is none of these.
        ValueError: If nothing is named, a span is wrong, or a data set is unknown.
    """
    if isinstance(texts, Prompt):
        if spans is not None:
            raise ValueError(f'spans={spans!r} were given together with a Prompt, which has its '
                             'own; give a caption and spans, or the Prompt alone')
        return texts
    if isinstance(texts, PathLike):
        texts = read_names(texts)
    if not isinstance(texts, (str, list, tuple)):
        raise TypeError(f'texts must be a list of names, a caption or a Prompt, got {texts!r}')
    if isinstance(texts, str) and not texts.strip():
        raise ValueError(f'texts={texts!r} is empty; name what to look for, for example '
                         "texts=['cat', 'remote control']")
    if isinstance(texts, str) and texts.startswith('$:'):
        texts = _dataset_names(texts[2:].strip())
    return Prompt.from_data_sample({
        'text': texts, 'tokens_positive': spans, 'custom_entities': custom_entities})


def make_prompts(texts: Any, count: int | None, spans: Any = None, custom_entities: bool = False,
                 per_image: bool = False) -> list[Prompt]:
    """Make one prompt for each of several images.

    Args:
        texts: Texts of all images, see :func:`make_prompt`. A list that holds a
            :class:`Prompt`, or a list of names, is taken as one entry for each image; a plain list
            of strings is one list of class names, unless ``per_image``.
        count: Number of images; None if nobody knows: then one prompt is for all.
        spans: Phrases of a caption; with ``per_image`` a list of one entry (or ``None``) per image.
        custom_entities: Whether a string holds names, see :func:`make_prompt`.
        per_image: Whether ``texts`` has one entry for each image.

    Raises:
        ValueError: If there are more or fewer entries than images.
    """
    nested = isinstance(texts, (list, tuple)) and any(not isinstance(t, str) for t in texts)
    if not (per_image or nested):
        return [make_prompt(texts, spans, custom_entities)] * (count or 1)
    if count is None:
        raise ValueError('texts has one entry for each image, but nobody knows how many a '
                         'generator gives; give one prompt for all, or a list of images')
    if not isinstance(texts, (list, tuple)) or len(texts) != count:
        given = len(texts) if isinstance(texts, (list, tuple)) else repr(texts)
        raise ValueError(f'texts must have one entry for each of the {count} images, got {given}; '
                         'leave per_image=False to use one prompt for all')
    if spans is None:
        spans = [None] * count
    if not isinstance(spans, (list, tuple)) or len(spans) != count:
        raise ValueError(f'spans must have one entry (or None) for each of the {count} images, '
                         f'got {spans!r}')
    return [make_prompt(t, s, custom_entities) for t, s in zip(texts, spans)]


def _dataset_names(name: str) -> list[str]:
    from mmdet.evaluation import get_classes
    try:
        return list(get_classes(name))
    except ValueError as error:
        raise ValueError(f"texts='$: {name}' names no data set that MMDetection has class names "
                         "for; try '$: coco', '$: lvis', '$: objects365v1' or list the names"
                         ) from error


def thresholds_of(value: Any, prompts: Iterable[Prompt]) -> Thresholds:
    """Take thresholds as :meth:`.Thresholds.of`; names that nothing looks for are logged.

    Args:
        value: A number, a dict from names to numbers, or thresholds.
        prompts: What is looked for.
    """
    thresholds = Thresholds.of(value)
    names = list(dict.fromkeys(name for prompt in dict.fromkeys(prompts) for name in prompt.names))
    for other in thresholds.of_others(names):
        near = get_close_matches(other, names, n=1)
        MMLogger.get_current_instance().warning(
            f'there is a threshold of {other!r}, which is not looked for' + (
                f'; did you mean {near[0]!r}?' if near else ''))
    return thresholds


def warn_of_names(model: Any, prompts: Iterable[Prompt]) -> None:
    """Log class names that the model reads otherwise than their author meant, as preflight does.

    Args:
        model: A GLIP.
        prompts: Prompts to look at.
    """
    find = getattr(model.prompts, 'name_problems', None)
    messages = dict.fromkeys(message for prompt in prompts if prompt.pieces is not None and find
                             for message in find(prompt).messages())
    for message in messages:
        MMLogger.get_current_instance().warning(f'{message}; say them in other words')
