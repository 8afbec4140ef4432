"""Building of prompts from labels or phrases."""

import logging
import zlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.data_error import read_json
from glip_mm.registry import TRANSFORMS
from glip_mm.text import CaptionPrompt, Prompt, entities_without_tokens
from glip_mm.text.spans import check_caption

from .class_vocabulary import ClassVocabulary, Random
from .negative_sampling import check_control, draw_negatives, keep_positives

#: Published prefix of detection prompts; no released model uses it.
DETECTION_PREFIX = 'object detection : '
#: Maximum number of label maps whose token counts are cached.
MAX_VOCABULARIES = 64


@TRANSFORMS.register_module()
class BuildPrompt(BaseTransform):
    """Add a prompt to every training image, and make its labels index the prompt's entities.

    A detection image (``text`` is a label map or a list of names) gets its positive class names
    and sampled negative ones, in random order, see :mod:`.negative_sampling` (the published
    ``'optimized'`` conversion), or all names of the label map (``'simple'``). A grounding image
    (``text`` is a caption, ``phrases`` its phrases) gets its caption. docs/prompts.md has examples.

    Boxes whose name or phrase owns no token are removed: the prompt has no room for it, or it is
    blank, or of characters that the tokenizer removes. The prompt does not say them, so for this
    prompt they are background. They are counted, and logged at the 1st, 2nd, 4th, 8th, ... of a
    process. (The published training keeps such a box, without words: see ``keep_cut``.)

    Classes that have only ignored (crowd) boxes are not positive, as published, and are not drawn
    as negatives, since the image does show them.

    Randomness is NumPy's global one, which MMEngine seeds per process and ``GroundingStream`` per
    sample, unless ``fixed``.

    Required keys: ``text``, and ``phrases`` for captions; ``gt_bboxes_labels`` and what goes with
    it (``gt_bboxes``, ``gt_ignore_flags``) where present; optional ``negatives`` and
    ``not_exhaustive``, lists of labels.

    Modified keys: the same ground truth. Added: ``prompt``, and ``img_id`` where missing.

    Args:
        tokenizer: Name of the language model whose tokens are counted, as in the model's
            ``language_model.name``.
        max_tokens: Maximum number of tokens of a prompt with [CLS] and [SEP], as in
            ``language_model.max_tokens``.
        num_negatives: Maximum number of negative classes of a detection prompt; 0 for none. The
            published default -1 means none half the time and one the other half.
        full_prob: Probability of drawing ``num_negatives`` rather than fewer: short for
            ``control=(0, 0, full_prob, 0)``.
        separator: Text between class names.
        shuffle: Whether to shuffle class names. False keeps the order of the label map.
        fixed: Whether to draw the same prompt for an image every time, so that a frozen language
            model finds it in its cache.
        keep_cut: Whether to keep boxes whose phrase owns no token, mostly because it is truncated.
            For evaluation, where such a phrase must count as missed, and for training exactly as
            published.
        method: Conversion of labels to prompts, ``'optimized'`` or ``'simple'``, see above.
        control: Published control probabilities: one negative, no negative, as many as possible,
            and 0; otherwise 1 to as many as possible.
        max_classes: Maximum number of classes in a prompt (published ``max_num_labels``): lowers
            the number of negatives only. -1 for any number.
        negatives: Candidates for negatives: ``'all'``, or ``'listed'``: draw only from the
            sample's ``negatives`` where it has such a list (classes verified as absent: LVIS).
        name_variants: Synonyms of classes, ``{name: [variant, ...]}`` or a JSON file of that;
            one of them, or the name itself, is drawn for each image.
        split_alternatives: Whether to read a name ``'a/b'`` as two variants of a class.
        caption_prompt: Overrides ``prefix``, ``name``, ``suffix`` by class name, or as a list in
            the order of labels.
        add_detection_prefix: Whether to begin detection prompts with :data:`DETECTION_PREFIX`.
    """

    def __init__(self, tokenizer: str = 'bert-base-uncased', max_tokens: int = 256,
                 num_negatives: int = 85, full_prob: float = 0.5, separator: str = '. ',
                 shuffle: bool = True, fixed: bool = False, keep_cut: bool = False,
                 method: str = 'optimized', control: Sequence[float] | None = None,
                 max_classes: int = -1, negatives: str = 'all',
                 name_variants: None | str | Mapping[str, Sequence[str]] = None,
                 split_alternatives: bool = False,
                 caption_prompt: CaptionPrompt | None = None,
                 add_detection_prefix: bool = False) -> None:
        for key, value, allowed in (('method', method, ('optimized', 'simple')),
                                    ('negatives', negatives, ('all', 'listed'))):
            if value not in allowed:
                raise ValueError(f'BuildPrompt.{key} must be one of {allowed}, got {value!r}')
        self.tokenizer_name, self.max_tokens = tokenizer, max_tokens
        self.num_negatives, self.max_classes = num_negatives, max_classes
        self.control = check_control((0, 0, full_prob, 0) if control is None else control)
        self.separator, self.shuffle = separator, shuffle
        self.fixed, self.keep_cut = fixed, keep_cut
        self.method, self.negatives = method, negatives
        self.name_variants = read_variants(name_variants)
        self.split_alternatives = split_alternatives
        self.caption_prompt = caption_prompt
        self.prefix = DETECTION_PREFIX if add_detection_prefix else ''
        self._tokenizer: Any = None
        self._vocabularies: dict[Hashable, ClassVocabulary] = {}
        self._dropped = 0

    @property
    def tokenizer(self) -> Any:
        """Return the fast tokenizer, loaded on first use: each data loader worker has its own."""
        if self._tokenizer is None:
            from glip_mm.compat import load_tokenizer
            from glip_mm.text.language_model_files import resolve_language_model
            self._tokenizer = load_tokenizer(resolve_language_model(self.tokenizer_name))
        return self._tokenizer

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text, without [CLS] and [SEP]."""
        return len(self.tokenizer(text, add_special_tokens=False, verbose=False)['input_ids'])

    def vocabulary(self, text: Mapping | Sequence[str]) -> ClassVocabulary:
        """Return the names of a label map with their tokens, counted on first use."""
        # keyed by content, not by identity: data sets hand out copies
        key = tuple(text.items() if isinstance(text, Mapping) else enumerate(text))
        found = self._vocabularies.get(key)
        if found is None:
            if len(self._vocabularies) >= MAX_VOCABULARIES:
                self._vocabularies.clear()
            found = self._vocabularies[key] = ClassVocabulary(
                {int(label): name for label, name in key}, self.count_tokens, self.separator,
                self.name_variants, self.split_alternatives, self.caption_prompt)
        return found

    def transform(self, results: dict) -> dict | None:
        """Build the prompt.

        Args:
            results: Sample, see the class for its keys.

        Returns:
            The same dict, modified; None for an image without boxes of which no class is known to
            be absent, or for which no negative was drawn.

        Raises:
            KeyError: If there is no ``text``.
            BadSample: If a label has no name, a span is outside its caption, or the like.
        """
        if 'text' not in results:
            raise KeyError("BuildPrompt found no 'text': use ODVGDataset with a label_map_file or "
                           'captions, or CocoDataset with return_classes=True')
        if 'phrases' in results:
            self._from_caption(results)
        elif not self._from_classes(results):
            return None
        results.setdefault('img_id', results.get('sample_idx', -1))
        return results

    # ---------------------------------------------------------------- classes

    def _from_classes(self, results: dict) -> bool:
        """Add the prompt; return whether there is a class to ask for."""
        vocabulary = self.vocabulary(results['text'])
        labels = np.asarray(results.get('gt_bboxes_labels', ()), dtype=np.int64)
        ignored = np.asarray(results.get('gt_ignore_flags', np.zeros(len(labels))), dtype=bool)
        present = _rows(vocabulary, np.unique(labels[~ignored]), results)
        ambiguous = _rows(vocabulary, np.unique(labels[ignored]), results)
        rng: Random = np.random
        if self.fixed:
            rng = np.random.RandomState(zlib.crc32(str(results.get('img_path')).encode()))
        if self.method == 'simple':
            forms = self._all_classes(vocabulary, rng)
        else:
            forms = self._sampled_classes(results, vocabulary, present, ambiguous, rng)
        if not len(forms):
            if not len(present) and self.num_negatives:
                return False
            raise BadSample(
                'no class name fits', where(results),
                f'no class name fits into the prompt: raise BuildPrompt.num_negatives '
                f'({self.num_negatives}) or max_tokens ({self.max_tokens})')
        results['prompt'] = prompt = vocabulary.prompt(forms, self.prefix)
        order: Sequence[int] = vocabulary.label_of(forms)
        if not self.keep_cut:
            order = [label if vocabulary.says_something[form] else -1
                     for form, label in zip(forms, order)]
        # a prompt of all classes may be too long; a sample of them never is
        if self.method == 'simple' and vocabulary.costs[forms].sum() > self.max_tokens - 2:
            order = self._without_silent(prompt, order)
        self._relabel(results, order)
        return True

    def _all_classes(self, vocabulary: ClassVocabulary, rng: Any) -> np.ndarray:
        forms = vocabulary.write(np.flatnonzero(vocabulary.can_be_negative), rng)
        return rng.permutation(forms) if self.shuffle else forms

    def _sampled_classes(self, results: dict, vocabulary: ClassVocabulary, present: np.ndarray,
                         ambiguous: np.ndarray, rng: Any) -> np.ndarray:
        room = self.max_tokens - 2
        if self.prefix:
            room -= self.count_tokens(self.prefix)
        positives, used = keep_positives(present, vocabulary, room, rng)
        # as published, an image with too many classes has no room for negatives
        negatives = draw_negatives(present, vocabulary, room - used, rng, self.num_negatives,
                                   self.control, self.max_classes,
                                   self._candidates(results, vocabulary, ambiguous))
        forms = np.concatenate((positives, negatives))
        return rng.permutation(forms) if self.shuffle else np.sort(forms)

    def _candidates(self, results: dict, vocabulary: ClassVocabulary,
                    ambiguous: np.ndarray) -> np.ndarray | None:
        """Return the rows of classes that may be drawn as negatives; None for all."""
        candidates = None
        if self.negatives == 'listed' and results.get('negatives') is not None:
            candidates = _rows(vocabulary, results['negatives'], results)
        if results.get('not_exhaustive'):
            ambiguous = np.concatenate((
                ambiguous, _rows(vocabulary, results['not_exhaustive'], results)))
        if len(ambiguous):
            if candidates is None:
                candidates = np.arange(len(vocabulary.labels))
            candidates = np.setdiff1d(candidates, ambiguous)
        return candidates

    # ---------------------------------------------------------------- captions

    def _from_caption(self, results: dict) -> None:
        phrases, caption = results['phrases'], results['text']
        regions: list[int] = sorted(phrases)
        try:
            prompt = caption_prompt_of(caption, [phrases[i] for i in regions])
        except (ValueError, TypeError, KeyError) as error:
            raise BadSample('caption and phrases do not fit', where(results),
                            f'{error}; correct or remove the row') from error
        orphans = set(np.asarray(results.get('gt_bboxes_labels', ())).tolist()) - set(regions)
        if orphans:
            raise BadSample('box without a phrase', where(results),
                            f'label {min(orphans)} is none of the phrases {regions}')
        results['prompt'] = prompt
        self._relabel(results, self._without_silent(prompt, regions))

    def _without_silent(self, prompt: Prompt, labels: Sequence[int]) -> Sequence[int]:
        """Replace the labels of entities that own no token by -1."""
        if self.keep_cut or self._surely_has_tokens(prompt):
            return labels
        offsets = self.tokenizer(prompt.caption, max_length=self.max_tokens, truncation=True,
                                 return_offsets_mapping=True)['offset_mapping']
        silent = set(entities_without_tokens(prompt, offsets))
        return [-1 if k in silent else label for k, label in enumerate(labels)]

    def _surely_has_tokens(self, prompt: Prompt) -> bool:
        """Return whether no tokenizer is needed to know that every entity owns a token."""
        caption = prompt.caption
        # a character of ASCII is at most one token, one of another script may be three or none
        return (len(caption) <= self.max_tokens - 2 and caption.isascii()
                and caption.isprintable() and all(
                    entity.spans and not caption[entity.spans[0][0]].isspace()
                    and not caption[entity.spans[0][1] - 1].isspace()
                    for entity in prompt.entities))

    def _relabel(self, results: dict, order: Sequence[int]) -> None:
        """Replace each label by its position in ``order``; drop boxes of labels not in it."""
        if 'gt_bboxes_labels' not in results:
            return
        position = {label: i for i, label in enumerate(order)}
        labels = np.array([position.get(int(i), -1) for i in results['gt_bboxes_labels']],
                          dtype=np.int64)
        keep = labels >= 0
        lost = ~keep & ~np.asarray(results.get('gt_ignore_flags', np.zeros(len(keep))), dtype=bool)
        if lost.any():
            self._report_dropped(int(lost.sum()), where(results))
        results['gt_bboxes_labels'] = labels[keep]
        for key in ('gt_bboxes', 'gt_ignore_flags', 'gt_masks'):
            if key in results:
                results[key] = results[key][keep]

    def _report_dropped(self, dropped: int, place: str) -> None:
        before, self._dropped = self._dropped, self._dropped + dropped
        if self._dropped.bit_length() > before.bit_length():
            print_log(f'{self._dropped} boxes so far are left out: their words own no token of the '
                      f'prompt, which has no room for them (max_tokens={self.max_tokens}), or they '
                      f'are blank or removed by the tokenizer. The last: {place}',
                      logger='current', level=logging.WARNING)


def where(results: dict) -> str:
    """Return file and line of a sample, or else its image."""
    return str(results.get('where') or results.get('img_path') or 'a sample')


def _rows(vocabulary: ClassVocabulary, labels: Iterable[int], results: dict) -> np.ndarray:
    try:
        return vocabulary.rows(labels)
    except KeyError as error:
        raise BadSample('label without a name', where(results),
                        f'label {error} is not in the label map of '
                        f'{len(vocabulary.labels)} names; complete label_map_file') from None


def caption_prompt_of(caption: str, phrases: Sequence[Mapping]) -> Prompt:
    """Build the prompt of a caption, which may have no phrases (nothing to find in the image)."""
    if not phrases:
        check_caption(caption)
        return Prompt(caption, ())
    # ODVG may write a phrase as a list of pieces
    names = [p['phrase'] if isinstance(p['phrase'], str) else ' '.join(p['phrase'])
             for p in phrases]
    return Prompt.from_caption(caption, [p['tokens_positive'] for p in phrases], names)


def read_variants(value: None | str | Mapping[str, Sequence[str]]
                  ) -> dict[str, tuple[str, ...]]:
    """Read name variants from a config or a JSON file.

    Raises:
        ValueError: If it is not ``{name: [variant, ...]}``.
    """
    if value is None:
        return {}
    data = read_json(value) if isinstance(value, str) else value
    if not isinstance(data, Mapping) or not all(
            isinstance(ways, (list, tuple)) and all(isinstance(way, str) and way for way in ways)
            for ways in data.values()):
        raise ValueError('BuildPrompt.name_variants must be {class name: [way to write it, ...]} '
                         f'or a JSON file of that, got {value!r}')
    return {name: tuple(ways) for name, ways in data.items()}
