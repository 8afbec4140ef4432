"""Source of other images' captions: text only, no image is read."""

from collections.abc import Sequence
from typing import Any

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.data_error import DataError, read_json, read_text
from glip_mm.datasets.odvg_rules import is_text

Random = Any  # np.random, or a np.random.RandomState


class CaptionSource:
    """Source of random captions.

    Args:
        captions: List of captions, or a file: one per line, or a JSON list. ``None``: the data
            set's own, through the sample's ``other_caption``, a function of a random
            generator.
    """

    def __init__(self, captions: None | str | Sequence[str] = None) -> None:
        self.path = captions if isinstance(captions, str) else None
        self._captions = None if captions is None or self.path else check(captions, 'captions')

    def draw(self, results: dict, count: int, rng: Random) -> list[str]:
        """Draw captions of other images.

        Args:
            results: Sample; its ``other_caption`` is called if no captions were given.
            count: Number of captions; repetitions are possible.
            rng: Source of randomness.

        Raises:
            BadSample: If the data set gives something other than text.
            KeyError: If there is no source of captions.
        """
        if self.path is not None and self._captions is None:
            self._captions = read_captions(self.path)
        if self._captions is not None:
            return [self._captions[i] for i in rng.randint(len(self._captions), size=count)]
        other = results.get('other_caption')
        if other is None:
            raise KeyError("this data set offers no captions of other images ('other_caption'): "
                           'use GroundingDataset with captions, or give captions=FILE')
        found = [other(rng) for _ in range(count)]
        bad = [caption for caption in found if not isinstance(caption, str)]
        if bad:
            raise BadSample('caption is no text', str(results.get('where', '')),
                            f'another row gave {bad[0]!r} as its caption')
        return found


def read_captions(path: str) -> list[str]:
    """Read the captions of a file: a JSON list, or one per line (empty lines are skipped)."""
    if path.endswith('.json'):
        return check(read_json(path), path)
    return check([line.strip() for line in read_text(path).splitlines() if line.strip()], path)


def check(captions: Sequence[str] | None, name: str) -> list[str]:
    """Check captions and return them as a list.

    Raises:
        DataError: If there are none, or one is not text.
    """
    captions = list(captions) if isinstance(captions, (list, tuple)) else []
    if not captions or not all(map(is_text, captions)):
        raise DataError(f'{name} must be a list of at least one caption, got {captions!r:.80}')
    return captions
