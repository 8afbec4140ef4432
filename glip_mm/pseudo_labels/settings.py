"""Settings that labels depend on; a run resumes only with those that it began with."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from mmengine.config import Config
from torch import nn

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.data_error import DataError, read_json
from glip_mm.evaluation.fingerprint import weights_digest
from glip_mm.version import __version__

from .selection import BoxSelection

FILE = 'settings.json'


class LabelSettings(NamedTuple):
    """Settings of the labelling.

    Attributes:
        selection: Criteria for boxes to become labels.
        batch_size: Number of images per forward pass.
        dtype: Data type of autocast, such as ``'bfloat16'``; None: float32.
        asked: What is looked for, see :meth:`~.questions.Question.facts`.
    """

    selection: BoxSelection = BoxSelection()
    batch_size: int = 8
    dtype: str | None = None
    asked: Mapping[str, Any] = MappingProxyType({})

    def facts(self, model: nn.Module, config: Config) -> dict[str, Any]:
        """Return everything that labels depend on besides the data, by name."""
        pipeline = config.get('test_dataloader', {}).get('dataset', {})
        return dict(
            weights=weights_digest(model), glip_mm=__version__,
            model=json.loads(json.dumps(config.model.to_dict(), default=str)),
            pipeline=json.loads(json.dumps(pipeline.get('pipeline', []), default=str)),
            **self.selection._asdict(), batch_size=self.batch_size, dtype=self.dtype, **self.asked)


def check_settings(folder: Path, facts: dict[str, Any]) -> None:
    """Write a run's settings, or compare them with those that the folder was begun with.

    Raises:
        ValueError: If they differ; both values are named.
    """
    path = folder / FILE
    if not path.exists():
        write_atomically(path, (json.dumps(facts, indent=1) + '\n').encode())
        return
    refuse_changes(folder, 'made with other settings', read_json(path),
                   facts)


def refuse_changes(folder: Path, what: str, begun: Mapping[str, Any], now: Mapping[str, Any]
                   ) -> None:
    """Compare facts with those that the folder of a run was begun with.

    Args:
        folder: Folder of the run.
        what: What is wrong with its labels if they differ.
        begun: Facts of the run.
        now: The same facts of this process.

    Raises:
        DataError: If they differ; both values are named.
    """
    differ = [f'  {name}: {_short(begun.get(name))} before, {_short(now.get(name))} now'
              for name in {**begun, **now} if begun.get(name) != now.get(name)]
    if differ:
        raise DataError(f"'{folder}' holds labels {what}; go on with the same, or choose another "
                        '--out:\n' + '\n'.join(differ))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f'{text[:297]}...'
