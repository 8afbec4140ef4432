"""Several data sets as one, in the form that MMDetection's own tools read."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.datasets import ConcatDataset as MMDetConcatDataset
from mmengine.dataset import BaseDataset

from glip_mm.registry import DATASETS


@DATASETS.register_module()
class ConcatDataset(MMDetConcatDataset):
    """MMDetection's ``ConcatDataset`` whose members can share a pipeline.

    MMDetection's inferencers read ``test_dataloader.dataset.pipeline``, its ``--tta`` replaces it,
    and both ask a data set that need not be there for its palette.

    Args:
        datasets: Data sets, or their configs.
        pipeline: Pipeline of the configs that have none of their own.
        lazy_init: Whether annotations stay unread. ``metainfo`` is then one dict, of what all
            members have in common, and not a list of dicts where they differ.
        kwargs: Further arguments of MMDetection's class.
    """

    _metainfo: Any

    def __init__(self, datasets: Sequence[Mapping | BaseDataset],
                 pipeline: Sequence[Mapping] | None = None, lazy_init: bool = False,
                 **kwargs: Any) -> None:
        members = member_configs(dict(datasets=datasets, pipeline=pipeline))
        if lazy_init:
            members = [dict(member, lazy_init=True) if isinstance(member, Mapping) else member
                       for member in members]
        super().__init__(members, lazy_init, **kwargs)
        if lazy_init and isinstance(self._metainfo, list):
            first, *others = self._metainfo
            self._metainfo = {key: value for key, value in first.items()
                              if all(other.get(key) == value for other in others)}


def member_configs(config: Mapping[str, Any]) -> list:
    """Return the data sets that a config joins, each with its pipeline.

    Args:
        config: Config of a :class:`ConcatDataset`.
    """
    pipeline = config.get('pipeline')
    return [dict(pipeline=pipeline, **member)
            if pipeline and isinstance(member, Mapping) and 'pipeline' not in member else member
            for member in config['datasets']]
