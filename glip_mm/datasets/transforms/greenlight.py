"""Selection of the words that masked-language modelling may learn."""


import numpy as np
from mmcv.transforms import BaseTransform

from glip_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GreenlightSpans(BaseTransform):
    """Select the characters of the prompt for masked-language modelling, as published.

    Detection images: the names of the classes that have boxes. Captions: the whole caption; of a
    packed one all, or the image's own part alone. Captions of another image (``ReplaceCaption``):
    nothing, since the image says nothing about their words.

    Place it after ``BuildPrompt``; put ``'greenlight_spans'`` into the ``meta_keys`` of
    ``PackDetInputs``, where the model finds it.

    Required keys: ``prompt``; ``gt_bboxes_labels`` for detection images.

    Added keys: ``greenlight_spans``: list of characters ``[begin, end)``; None: no token of this
    prompt is masked.

    Args:
        no_mask_for_od: Whether to mask nothing in the prompts of detection images.
        no_mask_for_gold: Whether to mask nothing in captions of annotated grounding data.
        only_positive: Whether to select only the image's own caption of packed ones.
    """

    def __init__(self, no_mask_for_od: bool = False, no_mask_for_gold: bool = False,
                 only_positive: bool = False) -> None:
        self.no_mask_for_od, self.no_mask_for_gold = no_mask_for_od, no_mask_for_gold
        self.only_positive = only_positive

    def transform(self, results: dict) -> dict:
        """Add the spans to a sample.

        Args:
            results: Sample, see the class for its keys.

        Returns:
            The same dict, modified.
        """
        prompt = results['prompt']
        spans: list[tuple[int, int]]
        if 'phrases' not in results:
            labels = np.unique(results.get('gt_bboxes_labels', ())).astype(int).tolist()
            spans = [span for label in labels for span in prompt.entities[label].spans]
            off = self.no_mask_for_od
        else:
            spans = [(0, len(prompt.caption))]
            if self.only_positive and 'positive_span' in results:
                spans = [tuple(results['positive_span'])]
            if results.get('caption_replaced'):
                spans = []
            off = self.no_mask_for_gold
        results['greenlight_spans'] = None if off else spans
        return results
