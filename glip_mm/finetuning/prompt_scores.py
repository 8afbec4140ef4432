"""Class APs of prompts on one split; what was predicted stays on disk."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pycocotools.coco import COCO
from tqdm import tqdm

from glip_mm.evaluation.class_ap import ClassMatches, match_classes
from glip_mm.evaluation.coco_matching import best_detections, coco_results, quiet_coco
from glip_mm.evaluation.predictions import PredictionStore, PredictionWriter
from glip_mm.text import Prompt

from .prompt_candidates import Wordings
from .prompt_detector import PromptDetector

#: Seconds after which predictions are written.
SAVE_SECONDS = 30.


class PromptScores:
    """Predicts what is missing, and matches it with the annotations.

    Args:
        folder: For predictions: a folder of them for each prompt.
        detector: Finds.
        classes: All classes, in label order.
        category_ids: Their categories.
        images: Positions of the images in the data set that count.
        ann_file: The annotations.
    """

    def __init__(self, folder: Path, detector: PromptDetector, classes: Sequence[str],
                 category_ids: Sequence[int], images: Sequence[int], ann_file: str | Path) -> None:
        self.folder, self.detector = folder, detector
        self.classes, self.category_ids = list(classes), list(category_ids)
        self.images = sorted(images)
        self.truth: COCO = quiet_coco(ann_file, renumber=True)
        self.image_ids = [detector.dataset.get_data_info(i)['img_id'] for i in self.images]
        self._known: dict[str, list[ClassMatches]] = {}

    def __call__(self, wordings: Sequence[Wordings], title: str = '') -> list[list[ClassMatches]]:
        """Matches of each class under some prompts.

        Args:
            wordings: The prompts.
            title: Of the progress bar.

        Returns:
            For each prompt those of all classes.
        """
        prompts = {self._name(p): p for p in map(self.prompt, wordings)}
        self._predict({n: p for n, p in prompts.items() if n not in self._known}, title)
        for name in prompts:
            if name not in self._known:
                self._known[name] = self._match(name)
        return [self._known[self._name(self.prompt(w))] for w in wordings]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Boxes of each class, and images that have one."""
        rows = {c: self.truth.loadAnns(self.truth.getAnnIds(
            imgIds=self.image_ids, catIds=[i], iscrowd=False))
            for c, i in zip(self.classes, self.category_ids)}
        return {c: (len(r), len({a['image_id'] for a in r})) for c, r in rows.items()}

    def prompt(self, wordings: Wordings) -> Prompt:
        """All classes as one prompt."""
        return Prompt.from_names(self.classes, caption_prompt=dict(wordings))

    @staticmethod
    def _name(prompt: Prompt) -> str:
        # equal captions may mark other words
        spans = [entity.spans for entity in prompt.entities]
        return hashlib.sha256(f'{prompt.caption}\n{spans}'.encode()).hexdigest()[:16]

    def _predict(self, prompts: Mapping[str, Prompt], title: str) -> None:
        done = {n: self._store(n).done if (self.folder / n / 'meta.json').is_file() else set()
                for n in prompts}
        todo = [i for i in self.images if any(i not in d for d in done.values())]
        if not todo:
            return
        writers = {n: PredictionWriter(self.folder / n, dict(caption=p.caption))
                   for n, p in prompts.items()}
        last = time.monotonic()
        for image in tqdm(todo, title, unit='image', mininterval=1):
            missing = [n for n in prompts if image not in done[n]]
            for name, found in zip(missing, self.detector(image, [prompts[n] for n in missing])):
                writers[name].add(found)
            if time.monotonic() - last > SAVE_SECONDS:
                _flush(writers)
                last = time.monotonic()
        _flush(writers)

    def _store(self, name: str) -> PredictionStore:
        return PredictionStore(self.folder / name)

    def _match(self, name: str) -> list[ClassMatches]:
        store = self._store(name)
        found = {p.img_id: best_detections(p.bboxes, p.scores, p.labels)
                 for p in map(store.__getitem__, self.images)}
        return match_classes(self.truth, coco_results(found, self.category_ids),
                             self.category_ids, self.image_ids)


def _flush(writers: Mapping[str, PredictionWriter]) -> None:
    for writer in writers.values():
        writer.flush()
