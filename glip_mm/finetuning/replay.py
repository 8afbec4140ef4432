"""Replay: pre-training data that is mixed into the fine-tuning, against forgetting."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from glip_mm.registry import type_name

#: Default share of replayed images in an epoch.
SHARE = 0.5


@dataclass(frozen=True)
class Replay:
    """Training data to mix in.

    Attributes:
        dataset: Config of the data set, or of the stream of data sets, with pipelines. A stream's
            members keep the shares that they have in it.
        share: Share of replayed images in an epoch, above 0 and below 1.
    """

    dataset: dict
    share: float = SHARE

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f'--replay-share {self.share} must be above 0 and below 1')

    def mix(self, dataset: dict, images: int) -> dict[str, Any]:
        """Build a stream of the tuned data set and the replayed ones.

        Args:
            dataset: Config of the tuned data set.
            images: Number of images per epoch from it; replayed ones are added.

        Returns:
            Config of a :class:`glip_mm.datasets.GroundingStream`.
        """
        return dict(type='glip_mm.GroundingStream', datasets=[dataset, deepcopy(self.dataset)],
                    ratios=[round(1 - self.share, 6), self.share],
                    samples_per_epoch=round(images / (1 - self.share)))


def read_replay(path: str | Path, share: float = SHARE) -> Replay:
    """Read the training data of a config.

    Args:
        path: Path of the config, usually that of the pre-training.
        share: Share of replayed images, see :class:`Replay`.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it has no training set with prompts, or the share is out of range.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"--replay '{path}' is not a file: give the config whose training "
                                'data are to be kept')
    found = (Config.fromfile(path).get('train_dataloader') or {}).get('dataset')
    if not found:
        raise ValueError(f"--replay '{path}' has no train_dataloader.dataset")
    found = found.to_dict()
    stream = type_name(found) == 'GroundingStream'
    for i, dataset in enumerate(found['datasets'] if stream else [found]):
        if not _makes_prompts(dataset):
            raise ValueError(f"--replay '{path}': train_dataloader.dataset.datasets[{i}] has no "
                             'BuildPrompt in its pipeline: give the config of a GLIP')
    return Replay(found, share)


def _makes_prompts(dataset: Mapping) -> bool:
    inner = [*(dataset.get('datasets') or ()), *filter(None, [dataset.get('dataset')])]
    return any(type_name(step) == 'BuildPrompt'
               for step in dataset.get('pipeline') or ()) or any(map(_makes_prompts, inner))
