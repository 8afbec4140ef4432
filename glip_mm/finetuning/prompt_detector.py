"""Detection with many prompts in the images of a data set; each image is encoded once."""

from collections.abc import Sequence

import torch
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.structures import BaseDataElement
from torch import Tensor

from glip_mm.evaluation.predictions import Prediction
from glip_mm.evaluation.scoring import to_prediction
from glip_mm.models import GLIP
from glip_mm.models.detectors.prompt_batch import chunks_at_once, maps_of
from glip_mm.text import Prompt


class PromptDetector:
    """Detector of prompts in single images, with the results of ``tools/test.py`` at batch size 1.

    The image encoder does not depend on the text: an image is encoded on first use, and its feature
    pyramid is cached as long as there is room.

    Args:
        model: Model, on its device.
        dataset: Data set of the test.
        memory: Maximum size of the feature pyramid cache in bytes; other images are encoded again.
    """

    def __init__(self, model: GLIP, dataset: BaseDataset, memory: float = 2 ** 30) -> None:
        self.model, self.dataset = model.eval(), dataset
        self._room = memory
        self._kept: dict[int, tuple[list[Tensor], BaseDataElement]] = {}

    @torch.no_grad()
    def __call__(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Detect all prompts in an image.

        Args:
            index: Index of the image in the data set.
            prompts: Prompts, each with the classes of the data set in their order.

        Returns:
            Detections of each prompt.
        """
        with self.model.test_cfg.autocast(next(self.model.parameters()).device):
            return self._detect(index, prompts)

    def _detect(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        feats, sample = self._encoded(index)
        at_once, found = chunks_at_once(feats), []
        for start in range(0, len(prompts), at_once):
            group = prompts[start:start + at_once]
            samples = [sample.clone() for _ in group]
            for copy, prompt in zip(samples, group):
                copy.set_metainfo(dict(prompt=prompt))
            results = self.model.predict_from_feats(
                [maps_of(x, [0] * len(group)) for x in feats], samples)
            found += [to_prediction(index, r, tuple(p.names), None)
                      for r, p in zip(results, group)]
        return found

    def _encoded(self, index: int) -> tuple[list[Tensor], BaseDataElement]:
        if index in self._kept:
            return self._kept[index]
        data = self.model.data_preprocessor(pseudo_collate([self.dataset[index]]), False)
        encoded = self.model.extract_feat(data['inputs']), data['data_samples'][0]
        size = sum(x.numel() * x.element_size() for x in encoded[0])
        if size <= self._room:
            self._room -= size
            self._kept[index] = encoded
        return encoded
