"""Contracts between the parts of a detector: channels, number of levels, strides."""

from collections.abc import Mapping, Sequence

from torch import Tensor


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
