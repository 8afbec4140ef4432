"""Read captions, phrases and boxes of a tested data set, whatever its format."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from mmengine.registry import init_default_scope

from glip_mm.evaluation.run_config import read_run_config
from glip_mm.registry import DATASETS
from glip_mm.text import Prompt

from .config_datasets import config_datasets
from .results import DatasetResult


class PhraseRows:
    """The samples that were tested, read by the data set of the run's config.

    Args:
        result: Result of the data set.

    Raises:
        FileNotFoundError: If a file of the data set is missing.
        ValueError: If there is no config, or its data sets are not those of the result.
    """

    def __init__(self, result: DatasetResult) -> None:
        if result.config is None or not result.config.is_file():
            raise ValueError(f"phrases of '{result.name}' are read as the config says, but there "
                             f"is no '{result.config}'")
        entries = config_datasets(result.config)
        if result.number >= len(entries):
            raise ValueError(f"'{result.config}' has {len(entries)} data sets in test_dataloader; "
                             f"'{result.name}' should be number {result.number + 1}")
        init_default_scope(read_run_config(result.config).get('default_scope', 'glip_mm'))
        self.result = result
        self.dataset = DATASETS.build({**entries[result.number], 'pipeline': [],
                                       'test_mode': True})

    def __getitem__(self, image: int) -> tuple[Prompt, list[tuple[int, list[float]]]]:
        """Return the prompt of an image of the result, and label and xyxy of its boxes."""
        tested = self.result.images[image]
        if tested.position >= len(self.dataset):
            raise ValueError(f"'{self.result.name}' has {len(self.dataset)} samples, but number "
                             f'{tested.position} was tested: its file has changed')
        info = self.dataset.get_data_info(tested.position)
        if PurePosixPath(info['img_path']).name != PurePosixPath(tested.path).name:
            raise ValueError(f"sample {tested.position} of '{self.result.name}' is "
                             f"'{info['img_path']}', but '{tested.path}' was tested: its file has "
                             'changed')
        prompt, position = _prompt(info)
        return prompt, [(position[int(i['bbox_label'])], list(i['bbox']))
                        for i in info['instances'] if not i.get('ignore_flag')]


def _prompt(info: Mapping[str, Any]) -> tuple[Prompt, Mapping[int, int]]:
    """Return the prompt, and the entity that each label of the sample is."""
    phrases = info.get('phrases')
    if not isinstance(phrases, Mapping):
        prompt = Prompt.from_data_sample(info)
        return prompt, {label: label for label in range(len(prompt.entities))}
    order = sorted(phrases)
    prompt = Prompt.from_caption(
        info['text'], [phrases[label]['tokens_positive'] for label in order],
        [phrases[label]['phrase'] for label in order])
    return prompt, {int(label): index for index, label in enumerate(order)}
