"""Replacement of samples that cannot be used."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from glip_mm.text.names import listed

from .bad_sample import ends_the_run
from .bad_sample_counter import BadSampleCounter
from .stream.permutation import mix

#: Consecutive replacements after which a data set raises.
MAX_ATTEMPTS = 100


def check_policy(on_bad: str, dataset: str) -> None:
    """Refuse a policy for bad samples that there is not."""
    if on_bad not in ('replace', 'stop'):
        raise ValueError(f"{dataset}.on_bad must be 'replace' or 'stop', got {on_bad!r}")


class ReplacingDataset:
    """Mixin of data sets whose bad samples are replaced by others, counted and logged.

    Any error of a sample counts, whichever transform raises it; what takes its place depends on
    the index alone. If all of the first samples fail with an error that is not about data, it is
    raised at once. A pipeline that returns None rejects a sample: it is replaced and not counted.
    """

    on_bad: str
    test_mode: bool
    ann_file: str
    counter: BadSampleCounter

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | Config | None = None) -> dict:
        found = super()._load_metainfo(metainfo)  # type: ignore[misc]  # of MMEngine's data sets
        if 'classes' in found:  # one name, unless it was that of a file with names
            found['classes'] = tuple(listed(found['classes']))
        return found

    def where(self, index: int) -> str:
        """Return the place of a sample, for messages."""
        raise NotImplementedError

    def prepare_data(self, idx: int) -> Any:
        """Load a sample and run its pipeline."""
        raise NotImplementedError

    def before_sample(self) -> None:
        """Do what is due before a sample is read."""

    def __getitem__(self, idx: int) -> Any:
        chosen, failed = idx, None
        for attempt in range(MAX_ATTEMPTS):
            self.before_sample()
            self.counter.count_read()
            try:
                data = self.prepare_data(chosen)
                if data is not None or self.test_mode:
                    self.counter.note_good()
                    return data
            except Exception as error:  # transforms raise exceptions of any type
                if self.on_bad == 'stop' or ends_the_run(error):
                    raise
                self.counter.count_bad(error, self.where(chosen))
                failed = error
            chosen = mix(idx, attempt) % len(self)  # type: ignore[arg-type]  # always the same
        raise RuntimeError(
            f"'{self.ann_file}': {MAX_ATTEMPTS} samples in a row could not be used, the first at "
            f'{self.where(idx)}: see the messages before'
            + (f'; the last: {failed}' if failed else '')) from failed
