"""Horizontal flipping of an image together with its text."""

from collections.abc import Sequence
from typing import Any

from mmdet.datasets.transforms import RandomFlip

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.registry import TRANSFORMS

from .word_swapping import MIRRORED_WORDS, WordSwapper, move_spans

MODES = ('swap', 'keep', 'skip')


@TRANSFORMS.register_module()
class FlipWithWords(RandomFlip):
    """MMDetection's ``RandomFlip`` that also exchanges left and right in texts.

    Captions and class names are changed alike, before or after ``BuildPrompt``; the label map of
    the data set itself never changes.

    Required keys: those of ``RandomFlip``.

    Modified keys: those of ``RandomFlip``, and of a mirrored image, where present: ``text``,
    ``phrases``, ``positive_span``, ``prompt``, ``greenlight_spans``.

    Args:
        words: Treatment of an image whose text says left or right: ``'swap'`` the words when it
            is flipped; ``'keep'`` them, as published; ``'skip'``: never flip it.
        pairs: Words to exchange.
        **kwargs: Arguments of ``RandomFlip``: ``prob``, ``direction``, ....
    """

    def __init__(self, *args, words: str = 'swap',
                 pairs: Sequence[Sequence[str]] = MIRRORED_WORDS, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if words not in MODES:
            raise ValueError(f'FlipWithWords.words must be one of {MODES}, got {words!r}')
        self.words, self.swapper = words, WordSwapper(pairs)

    def _flip_on_direction(self, results: dict) -> None:
        direction: str | None = self._choose_direction()
        if direction in ('horizontal', 'diagonal'):
            if self.words == 'skip' and self._says_side(results):
                direction = None
            elif self.words == 'swap':
                self._swap(results)
        results['flip'], results['flip_direction'] = direction is not None, direction
        if direction is not None:
            self._flip(results)

    def _says_side(self, results: dict) -> bool:
        """Return whether the text of a sample's boxes mentions a side."""
        if 'prompt' in results:
            return self.swapper.says(results['prompt'].caption)
        text = results.get('text')
        if isinstance(text, str):
            return self.swapper.says(text)
        if not text:
            return False
        names = {int(k): v for k, v in text.items()} if hasattr(text, 'items') else text
        present = {int(label) for label in results.get('gt_bboxes_labels', ())}
        return any(self.swapper.says(names[label]) for label in present)

    def _swap(self, results: dict) -> None:
        replace = self.swapper.replace
        if 'prompt' in results:
            old = results['prompt']
            results['prompt'] = self.swapper.prompt(old)
            if results.get('greenlight_spans'):
                results['greenlight_spans'] = move_spans(results['greenlight_spans'],
                                                         self.swapper(old.caption))
        text: Any = results.get('text')
        if isinstance(text, str):
            if self.swapper.says(text):
                self._swap_caption(results)
        elif hasattr(text, 'items'):
            results['text'] = {label: replace(name) for label, name in text.items()}
        elif text is not None:
            results['text'] = type(text)(replace(name) for name in text)

    def _swap_caption(self, results: dict) -> None:
        new = self.swapper(results['text'])
        try:
            phrases = {i: dict(p, phrase=self.swapper.replace(p['phrase']),
                               tokens_positive=move_spans(p['tokens_positive'], new))
                       for i, p in results.get('phrases', {}).items()}
        except (IndexError, TypeError, ValueError) as error:
            raise BadSample('caption and phrases do not fit',
                            str(results.get('where') or results.get('img_path')),
                            f'a span of {results["phrases"]!r} is not inside the caption '
                            f'{results["text"]!r}') from error
        results['text'] = new.text
        if 'phrases' in results:
            results['phrases'] = phrases
        if 'positive_span' in results:
            results['positive_span'] = new.span(*results['positive_span'])
