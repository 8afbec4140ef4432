"""From labels or phrases to a prompt."""

import logging
import zlib
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from glip_mm.registry import TRANSFORMS
from glip_mm.text import Prompt, char_to_token, span_to_tokens

from .negative_sampling import draw_negatives, keep_positives


@TRANSFORMS.register_module()
class BuildPrompt(BaseTransform):
    """Give every training image its prompt, and make its labels index the prompt's entities.

    A detection image (``text`` is a label map or a list of names) gets its positive class names
    and sampled negative ones, in random order, see :mod:`.negative_sampling`. A grounding image
    (``text`` is a caption, ``phrases`` its phrases) gets its caption.

    Boxes whose name or phrase does not fit into the prompt are removed: the prompt does not say
    them, so to this prompt they are background. The first such case is logged.

    Randomness is NumPy's global one, which MMEngine seeds per process, unless ``fixed``.

    Required keys: ``text``, and ``phrases`` for captions; ``gt_bboxes_labels`` and what goes with
    it (``gt_bboxes``, ``gt_ignore_flags``) where present.

    Modified keys: the same ground truth. Added: ``prompt``, and ``img_id`` where missing.

    Args:
        tokenizer: Name of the language model whose tokens are counted, as in the model's
            ``language_model.name``.
        max_tokens: Tokens of a prompt with [CLS] and [SEP], as in ``language_model.max_tokens``.
        num_negatives: Most negative classes of a detection prompt.
        full_prob: Chance to use that many rather than fewer.
        separator: What stands between class names.
        shuffle: Put class names in random order. False keeps the order of the label map.
        fixed: Draw for an image the same prompt every time, so that a frozen language model finds
            it in its cache.
        keep_cut: Keep boxes whose phrase the tokenizer cuts off. For evaluation, where such a
            phrase must count as missed.
    """

    def __init__(self, tokenizer: str = 'bert-base-uncased', max_tokens: int = 256,
                 num_negatives: int = 85, full_prob: float = 0.5, separator: str = '. ',
                 shuffle: bool = True, fixed: bool = False, keep_cut: bool = False) -> None:
        self.tokenizer_name, self.max_tokens = tokenizer, max_tokens
        self.num_negatives, self.full_prob = num_negatives, full_prob
        self.separator, self.shuffle = separator, shuffle
        self.fixed, self.keep_cut = fixed, keep_cut
        self._tokenizer: Any = None
        self._counts: Dict[str, int] = {}
        self._reported = False

    @property
    def tokenizer(self) -> Any:
        """The fast tokenizer, loaded on first use: each worker process has its own."""
        if self._tokenizer is None:
            from glip_mm.compat import load_tokenizer
            from glip_mm.text.sources import resolve_language_model
            self._tokenizer = load_tokenizer(resolve_language_model(self.tokenizer_name))
        return self._tokenizer

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text, without [CLS] and [SEP]."""
        if text not in self._counts:
            ids = self.tokenizer(text, add_special_tokens=False, verbose=False)['input_ids']
            self._counts[text] = len(ids)
        return self._counts[text]

    def transform(self, results: dict) -> Optional[dict]:
        """Build the prompt.

        Args:
            results: See the class.

        Returns:
            The same dict.

        Raises:
            KeyError: If there is no ``text``.
        """
        if 'text' not in results:
            raise KeyError("BuildPrompt found no 'text': use ODVGDataset with a label_map_file or "
                           'captions, or CocoDataset with return_classes=True')
        if 'phrases' in results:
            self._from_caption(results)
        else:
            self._from_classes(results)
        results.setdefault('img_id', results.get('sample_idx', -1))
        return results

    def _from_classes(self, results: dict) -> None:
        text = results['text']
        names = ({int(k): v for k, v in text.items()} if isinstance(text, dict)
                 else dict(enumerate(text)))
        present = np.unique(results.get('gt_bboxes_labels', [])).astype(int).tolist()
        rng = np.random
        if self.fixed:
            rng = np.random.RandomState(zlib.crc32(str(results.get('img_path')).encode()))
        room = self.max_tokens - 2
        positives, used = keep_positives(present, names, self.count_tokens, room, rng)
        # as published, an image with too many classes has no room for negatives
        room = room - used if len(positives) == len(present) else 0
        negatives = draw_negatives(positives, names, self.count_tokens, room, rng,
                                   self.num_negatives, self.full_prob)
        labels = positives + negatives
        if not labels:
            raise ValueError(
                f"no class name fits into the prompt of '{results.get('img_path')}': raise "
                f'BuildPrompt.num_negatives ({self.num_negatives}) or max_tokens '
                f'({self.max_tokens})')
        order = rng.permutation(labels).tolist() if self.shuffle else sorted(labels)
        results['prompt'] = Prompt.from_names([names[i] for i in order], self.separator)
        self._relabel(results, order)

    def _from_caption(self, results: dict) -> None:
        phrases, caption = results['phrases'], results['text']
        regions: List[int] = sorted(phrases)
        prompt = Prompt.from_caption(caption, [phrases[i]['tokens_positive'] for i in regions],
                                     [phrases[i]['phrase'] for i in regions])
        results['prompt'] = prompt
        # no token is shorter than a character: short captions need no tokenizer
        if not self.keep_cut and len(caption) > self.max_tokens - 2:
            cut = self._cut_entities(prompt)
            regions = [-1 if k in cut else i for k, i in enumerate(regions)]
        self._relabel(results, regions)

    def _cut_entities(self, prompt: Prompt) -> Sequence[int]:
        """Entities of which the tokenizer leaves no token."""
        offsets = np.asarray(self.tokenizer(
            prompt.caption, max_length=self.max_tokens, truncation=True,
            return_offsets_mapping=True)['offset_mapping'])
        table = char_to_token(offsets, len(prompt.caption))
        return [k for k, entity in enumerate(prompt.entities)
                if all(span_to_tokens(table, *span) is None for span in entity.spans)]

    def _relabel(self, results: dict, order: Sequence[int]) -> None:
        """Replace each label by its position in ``order``; drop boxes of labels not in it."""
        if 'gt_bboxes_labels' not in results:
            return
        position = {label: i for i, label in enumerate(order)}
        labels = np.array([position.get(int(i), -1) for i in results['gt_bboxes_labels']],
                          dtype=np.int64)
        keep = labels >= 0
        if not keep.all():
            self._report_dropped(int((~keep).sum()), len(keep), results.get('img_path'))
        results['gt_bboxes_labels'] = labels[keep]
        for key in ('gt_bboxes', 'gt_ignore_flags', 'gt_masks'):
            if key in results:
                results[key] = results[key][keep]

    def _report_dropped(self, dropped: int, total: int, path: Optional[str]) -> None:
        if not self._reported:
            self._reported = True
            print_log(f"{dropped} of {total} boxes of '{path}' are left out: the prompt of "
                      f'max_tokens={self.max_tokens} has no room for their words. Said once.',
                      logger='current', level=logging.WARNING)
