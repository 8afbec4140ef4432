"""Class APs of prompts on a split; predictions are stored on disk."""

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

#: Interval of writing predictions, in seconds.
SAVE_SECONDS = 30.


class PromptScores:
    """Predicts missing images, and matches predictions with the ground truth.

    Args:
        folder: Folder of the predictions, with a subfolder for each prompt.
        detector: Detector of prompts in images.
        classes: All classes, in label order.
        category_ids: Category ids of the classes.
        images: Indices of the evaluated images in the data set.
        ann_file: Path of the annotations.
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
        """Match each class's detections under several prompts.

        Args:
            wordings: Wordings of each prompt.
            title: Title of the progress bar.

        Returns:
            Matches of all classes, for each prompt.
        """
        prompts = {self._name(p): p for p in map(self.prompt, wordings)}
        self._predict({n: p for n, p in prompts.items() if n not in self._known}, title)
        for name in prompts:
            if name not in self._known:
                self._known[name] = self._match(name)
        return [self._known[self._name(self.prompt(w))] for w in wordings]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return the number of boxes of each class, and the number of images that have one."""
        rows = {c: self.truth.loadAnns(self.truth.getAnnIds(
            imgIds=self.image_ids, catIds=[i], iscrowd=False))
            for c, i in zip(self.classes, self.category_ids)}
        return {c: (len(r), len({a['image_id'] for a in r})) for c, r in rows.items()}

    def prompt(self, wordings: Wordings) -> Prompt:
        """Build a prompt of all classes."""
        return Prompt.from_names(self.classes, caption_prompt=dict(wordings))

    @staticmethod
    def _name(prompt: Prompt) -> str:
        # equal captions may have other spans
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
