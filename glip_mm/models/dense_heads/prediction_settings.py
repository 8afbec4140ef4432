"""Settings of prediction, validated once: the ``test_cfg`` of a detector."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch

from .score_aggregation import AGGREGATIONS

#: Values of ``test_cfg.dtype``.
DTYPES = ('float32', 'bfloat16', 'float16')


@dataclass(frozen=True)
class ChunkMerge:
    """Merging of the detections of several chunks; the default is the published one, none.

    Args:
        iou_threshold: NMS across names above this IoU; None: no NMS.
        max_per_img: detections kept of all chunks together; -1: all.
    """

    iou_threshold: float | None = None
    max_per_img: int = -1

    def __post_init__(self) -> None:
        _check_share('chunk_merge.iou_threshold', self.iou_threshold, optional=True)
        _check_count('chunk_merge.max_per_img', self.max_per_img, 'all')


@dataclass(frozen=True)
class Shortlist:
    """Coarse to fine over a long vocabulary, see :mod:`glip_mm.models.detectors.shortlist`.

    Args:
        size: names of each image that are looked for at full size.
        scale: sides of the small copy that picks them, as a share of the image's.
        chunked_size: names per prompt on the small copy; -1: as many as the token budget holds.
    """

    size: int = 80
    scale: float = 0.5
    chunked_size: int = -1

    def __post_init__(self) -> None:
        _check_count('shortlist.size', self.size, '')
        _check_count('shortlist.chunked_size', self.chunked_size, 'as many as a prompt holds')
        if not _is_share(self.scale) or not self.scale:
            raise ValueError(f'model.test_cfg.shortlist.scale={self.scale!r}: give a number above '
                             '0, up to 1')

    @classmethod
    def of(cls, value: 'Shortlist | Mapping[str, Any] | int | None') -> 'Shortlist | None':
        """Return the setting of ``test_cfg``: a dict, or the size alone; None: no shortlist.

        Raises:
            ValueError: For an unknown key or an impossible value.
        """
        if value is None or isinstance(value, Shortlist):
            return value
        if not isinstance(value, Mapping):
            return cls(value)
        _refuse_unknown('shortlist', value, _names(cls))
        return cls(**value)


@dataclass
class PredictionSettings:
    """Selection of detections and chunking of long vocabularies.

    A call with other settings is given another object, see :meth:`replace`. An attribute that is
    set, as MMDetection's image demo does it with ``chunked_size``, is checked like an argument.

    Args:
        score_thr: threshold on the score of an entity, before centerness.
        nms_pre: candidates kept of each level and image; -1: all.
        iou_threshold: threshold of the NMS within an entity; None: no NMS.
        max_per_img: detections kept of each image and chunk; -1: all.
        score_agg: from token probabilities to entity scores, see :func:`aggregate_scores`.
        chunked_size: names per prompt of a long vocabulary; -1: as many as the token budget holds.
        chunk_batch: prompts that go through the network together; None: by the GPU's size.
        chunk_merge: merging of the chunks, also as a dict.
        shortlist: look for the names alone that a small copy of the image shows, a dict of
            :class:`Shortlist` or the number of names; None: for all.
        mix_sizes: pad the images of a batch to the largest of them. The default is to take those
            of one padded size together, so that a batch finds what its images have alone.
        last_pixel: width of boxes is x2 - x1 + 1 (COCO, ODinW) and not, as in the published
            evaluations of LVIS and Flickr30k alone, x2 - x1.
        dtype: number format of the network, one of :data:`DTYPES`: its matrix products and, on a
            CPU, the samples of deformable convolutions and the attention's weights. Weights stay
            float32; logits, scores and boxes are computed in float32. None: as the caller's
            autocast has it, without one float32.

    Raises:
        ValueError: If a value is impossible.
    """

    score_thr: float = 0.05
    nms_pre: int = 1000
    iou_threshold: float | None = 0.6
    max_per_img: int = 100
    score_agg: str = 'MEAN'
    chunked_size: int = -1
    chunk_batch: int | None = None
    chunk_merge: ChunkMerge = field(default_factory=ChunkMerge)
    shortlist: Shortlist | None = None
    mix_sizes: bool = False
    last_pixel: bool = True
    dtype: str | None = None

    def __post_init__(self) -> None:
        merge = self.chunk_merge
        if not isinstance(merge, ChunkMerge):
            if merge is not None and not isinstance(merge, Mapping):
                raise ValueError(f'model.test_cfg.chunk_merge={merge!r}: give a dict of '
                                 f"{', '.join(_names(ChunkMerge))}")
            _refuse_unknown('chunk_merge', merge or {}, _names(ChunkMerge))
            object.__setattr__(self, 'chunk_merge', ChunkMerge(**(merge or {})))
        object.__setattr__(self, 'shortlist', Shortlist.of(self.shortlist))
        if not isinstance(self.score_agg, str) or self.score_agg not in AGGREGATIONS:
            raise ValueError(f'model.test_cfg.score_agg={self.score_agg!r}: choose one of '
                             f'{sorted(AGGREGATIONS)}')
        _check_share('score_thr', self.score_thr)
        _check_share('iou_threshold', self.iou_threshold, optional=True)
        for name in ('nms_pre', 'max_per_img'):
            _check_count(name, getattr(self, name), 'all')
        _check_count('chunked_size', self.chunked_size, 'as many as a prompt holds')
        if self.chunk_batch is not None:
            _check_count('chunk_batch', self.chunk_batch, None)
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f'model.test_cfg.dtype={self.dtype!r}: choose one of '
                             f"{', '.join(DTYPES)}, or None")
        for name in ('mix_sizes', 'last_pixel'):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f'model.test_cfg.{name}={getattr(self, name)!r}: give True or '
                                 'False')

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute.

        Raises:
            AttributeError: If there is no such setting.
            ValueError: If the value is impossible.
        """
        if name not in _names(type(self)):
            raise AttributeError(f"model.test_cfg has no setting '{name}', only "
                                 f"{', '.join(_names(type(self)))}")
        if name in vars(self):  # all values are there, and checked
            value = getattr(self.replace(**{name: value}), name)
        object.__setattr__(self, name, value)

    @classmethod
    def from_config(cls, config: Mapping[str, Any] | None) -> 'PredictionSettings':
        """Build the settings from ``model.test_cfg``.

        Args:
            config: our keys, or MMDetection's where they have a meaning here: see
                :func:`translate_mmdet_keys`.

        Raises:
            ValueError: For an unknown key or an impossible value.

        Example:
            >>> PredictionSettings.from_config(dict(nms=dict(type='nms', iou_threshold=0.5)))
            ... # doctest: +ELLIPSIS
            PredictionSettings(score_thr=0.05, nms_pre=1000, iou_threshold=0.5, ...
        """
        if config is not None and not isinstance(config, Mapping):
            raise ValueError(f"model.test_cfg={config!r}: give a dict of {', '.join(_names(cls))}")
        config = translate_mmdet_keys(config or {})
        _refuse_unknown('', config, _names(cls))
        return cls(**config)

    def replace(self, **changes: Any) -> 'PredictionSettings':
        """Return a copy with other values."""
        return replace(self, **changes)

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """Return the context in which a network predicts in :attr:`dtype`.

        Raises:
            ValueError: If the device has no instructions for it.
        """
        if self.dtype is None:
            return nullcontext()
        if self.dtype == 'float16' and device.type == 'cpu':
            raise ValueError("model.test_cfg.dtype='float16' needs a GPU; on a CPU choose "
                             "'bfloat16'")
        return torch.autocast(device.type, getattr(torch, self.dtype),
                              enabled=self.dtype != 'float32')

    @property
    def max_classes(self) -> int | None:
        """Names per prompt; None: as many as the token budget holds."""
        return self.chunked_size if self.chunked_size > 0 else None


def translate_mmdet_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the keys of MMDetection's ``test_cfg``; all others stay as they are.

    ``nms=dict(type='nms', iou_threshold=0.6)`` becomes ``iou_threshold``, ``max_per_image``
    becomes ``max_per_img``; they win over our keys, which a base config may hold.
    ``min_bbox_size=0`` filters nothing and is dropped.

    Args:
        config: ``model.test_cfg``.

    Returns:
        A new dict with our keys.

    Raises:
        ValueError: If a key has no equivalent here.

    Example:
        >>> translate_mmdet_keys(dict(nms=dict(type='nms', iou_threshold=0.5), max_per_image=9))
        {'iou_threshold': 0.5, 'max_per_img': 9}
    """
    config, translated = dict(config), {}
    if 'nms' in config:
        translated['iou_threshold'] = _nms_threshold(config.pop('nms'))
    if 'max_per_image' in config:
        translated['max_per_img'] = config.pop('max_per_image')
    if config.pop('min_bbox_size', 0) not in (0, -1, None):
        raise ValueError('model.test_cfg.min_bbox_size is not supported: the published selection '
                         'keeps boxes of any size; set it to 0')
    return {**config, **translated}


def _nms_threshold(nms: Mapping[str, Any] | None) -> float | None:
    if nms is None:
        return None
    if not isinstance(nms, Mapping):
        raise ValueError(f"model.test_cfg.nms={nms!r}: give dict(type='nms', iou_threshold=...)")
    nms = dict(nms)
    kind, threshold = nms.pop('type', 'nms'), nms.pop('iou_threshold', None)
    if nms.get('class_agnostic') is False:
        del nms['class_agnostic']
    if kind != 'nms' or threshold is None or nms:
        raise ValueError(
            f"model.test_cfg.nms={dict(type=kind, iou_threshold=threshold, **nms)} is not "
            "supported: only dict(type='nms', iou_threshold=...), greedy NMS within each entity; "
            'for NMS across names of different prompts set chunk_merge=dict(iou_threshold=...)')
    return threshold


def _check_share(name: str, value: Any, optional: bool = False) -> None:
    if value is None and optional:
        return
    if not _is_share(value):
        raise ValueError(f'model.test_cfg.{name}={value!r}: give a number from 0 to 1'
                         + (', or None for no NMS' if optional else ''))


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _check_count(name: str, value: Any, without: str | None) -> None:
    least = isinstance(value, int) and not isinstance(value, bool) and (
        value >= 1 or value == -1 and bool(without))
    if not least:
        raise ValueError(f'model.test_cfg.{name}={value!r}: give a whole number from 1 on'
                         + (f', or -1 for {without}' if without else
                            ', or None' if without is None else ''))


def _names(cls: type) -> list[str]:
    return [entry.name for entry in fields(cls)]


def _refuse_unknown(part: str, config: Mapping[str, Any], known: list[str]) -> None:
    unknown = [key for key in config if key not in known]
    if unknown:
        where = '.'.join(filter(None, ('model.test_cfg', part)))
        raise ValueError(f"{where} has {', '.join(map(repr, unknown))}; it knows "
                         f"{', '.join(known)}" + ('' if part else
                         "; of MMDetection's keys nms=dict(type='nms', iou_threshold=...) and "
                         'max_per_image are understood'))
