"""Contracts between the parts of a detector: channels, number of levels, strides."""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def building(key: str, config: Any) -> Iterator[None]:
    """Say which config a class refused that only asserts, as most of MMDetection's do.

    Args:
        key: Config key of the part.
        config: What is built.

    Raises:
        ValueError: In place of an ``AssertionError``, with its message or else its condition.
    """
    try:
        yield
    except AssertionError as error:
        reason = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
        raise ValueError(f'{key} cannot be built from {config}: {reason}') from error


def of_neck(key: str, neck: None | Mapping | Sequence[Mapping], built: nn.Module) -> int | None:
    """Return a number that a neck tells, or the last of several that does: those behind keep it.

    Args:
        key: ``'out_channels'`` or ``'num_outs'``.
        neck: Config of the neck, or of several in the order of their use.
        built: The neck, or all of them in a ``Sequential``.

    Raises:
        ValueError: If it is a list of different numbers, as of a neck without a common width.
    """
    neck = neck or {}
    pairs = ([(neck, built)] if isinstance(neck, Mapping) else list(zip(neck, built.children())))
    for config, module in reversed(pairs):
        told = config.get(key, getattr(module, key, None))
        if isinstance(told, (list, tuple)):
            if len(set(told)) != 1:
                raise ValueError(f'model.neck.{key}={list(told)}: fusion and head need the same '
                                 'number on all levels; let a ChannelMapper follow the neck')
            told = told[0]
        if told is not None:
            return told
    return None


def agreed(what: str, told: Mapping[str, int | None]) -> int | None:
    """Return the number that several config keys say.

    Args:
        what: Meaning of the number.
        told: Config key -> its number; None: not given.

    Returns:
        The number, None if no key says it.

    Raises:
        ValueError: If two keys contradict each other.

    Example:
        >>> agreed('channels', {'neck.out_channels': 256, 'fusion_neck.in_channels': None})
        256
    """
    given = {key: number for key, number in told.items() if number is not None}
    if len(set(given.values())) > 1:
        first, *others = given
        raise ValueError(
            f"{', '.join(f'{key}={number}' for key, number in given.items())} contradict each "
            f'other: the {what} are the same in all of them; leave out '
            f"{' and '.join(others)}, and {first} is taken")
    return next(iter(given.values()), None)


def through_neck(neck: Callable, maps: Tensor | Sequence[Tensor], in_channels: Any) -> list[Tensor]:
    """Run the neck, and say so if the backbone's maps are not those that it is made for.

    Args:
        neck: Neck, or several one after another.
        maps: Maps ``[B, C, h, w]`` of the backbone; some give their only one as such.
        in_channels: What the first neck's config says: a number for each map, one for the last
            map, or None.

    Raises:
        ValueError: If the neck fails, and the channels are others.
    """
    try:
        return list(neck(maps))
    except (AssertionError, IndexError, RuntimeError, ValueError) as error:
        given = [x.shape[1] for x in ([maps] if isinstance(maps, Tensor) else maps)]
        if in_channels in (None, given[-1]) or list(in_channels) == given:
            raise
        raise ValueError(
            f'model.neck.in_channels={in_channels}, but model.backbone gives {len(given)} maps of '
            f'{given} channels: set the former to the latter, or change model.backbone.out_indices'
        ) from error


def check_maps(feats: Sequence[Tensor], num_images: int, channels: int) -> None:
    """Refuse feature maps that fusion and head cannot read.

    Args:
        feats: Maps ``[B, C, h, w]``, finest first.
        num_images: ``B``.
        channels: ``C``.

    Raises:
        ValueError: If there are others.
    """
    given = [x.shape[1] for x in feats]
    if set(given) != {channels}:
        raise ValueError(
            f'model.bbox_head.in_channels={channels}, which are those of model.neck.out_channels '
            f'where it has any, but the maps of the neck have {given} channels: set '
            'model.bbox_head.in_channels to theirs; levels of several widths need a ChannelMapper '
            'behind them')
    if len(feats[0]) != num_images:
        raise ValueError(f'model.backbone makes maps of {len(feats[0])} images from {num_images}: '
                         'a backbone with several branches for an image has no place here')


def check_strides(feats: Sequence[Tensor], image_size: Sequence[int],
                  strides: Sequence[tuple[int, int]]) -> None:
    """Refuse feature maps that anchors of these strides do not cover.

    A wrong stride raises no error by itself: anchors lie beside what their cells see.

    Args:
        feats: Maps ``[B, C, h, w]``, finest first.
        image_size: Height and width of the network's input.
        strides: (horizontal, vertical) stride of each level's anchors in pixels.

    Raises:
        ValueError: If number or sizes of the maps do not fit.
    """
    height, width = image_size
    sizes = [tuple(x.shape[-2:]) for x in feats]
    # rounded up or down, once or at each of several convolutions
    fits = len(sizes) == len(strides) and all(
        abs(h - height / down) < 1 and abs(w - width / across) < 1
        for (h, w), (across, down) in zip(sizes, strides))
    if not fits:
        raise ValueError(
            f'model.bbox_head.anchor_generator.strides={[across for across, _ in strides]}, but '
            f'an input of {width} x {height} pixels has feature maps of '
            f"{', '.join(f'{w} x {h}' for h, w in sizes)} cells, which are strides of about "
            f'{[round(max(height / h, width / w)) for h, w in sizes]}: set the strides to those of '
            'the maps, or change model.backbone.out_indices and model.neck.num_outs')
