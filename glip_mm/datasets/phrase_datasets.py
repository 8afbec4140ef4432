"""Evaluation data sets of phrase grounding: sentences whose phrases are located in images."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmengine.logging import MMLogger

from glip_mm.registry import DATASETS
from glip_mm.text import Prompt

from .boxes import xyxy
from .coco_file import read_coco
from .data_error import DataError, read_text
from .data_paths import below
from .flickr30k_entities import read_boxes, read_sentences


class PhraseDataset(BaseDetDataset):
    """Data set of pairs of an image and a sentence; a label is a phrase of the sentence.

    The prompt is read from ``text`` (the unchanged sentence) and
    ``tokens_positive`` (characters of each phrase). Other fields: ``phrases`` (words of each),
    ``phrase_types`` (a list of types for each, or None where unknown), ``sentence_id``,
    ``dataset_name``. All of them belong into ``meta_keys`` of ``PackDetInputs``.
    """

    def __init__(self, *args: Any, dataset_name: str | None = None, **kwargs: Any) -> None:
        self.dataset_name = dataset_name
        kwargs['return_classes'] = True
        kwargs.setdefault('serialize_data', False)
        super().__init__(*args, **kwargs)

    def filter_data(self) -> list[dict]:
        """Return all samples: an evaluation leaves none out."""
        return self.data_list

    def _sample(self, image: dict, text: str | list[str], spans: Any, boxes: list[list[list]],
                **fields: Any) -> dict:
        instances = [dict(bbox=list(box), bbox_label=label, ignore_flag=0)
                     for label, target in enumerate(boxes) for box in target]
        try:
            path = below(self.data_prefix.get('img'), image['file_name'])
        except ValueError as error:
            raise DataError(f"'{self.ann_file}': image {image['id']}: {error}") from None
        return dict(
            img_id=image['id'], img_path=path, height=image['height'],
            width=image['width'], instances=instances, text=text, tokens_positive=spans,
            custom_entities=not isinstance(text, str), dataset_name=self.dataset_name, **fields)


@DATASETS.register_module()
class Flickr30kEntitiesDataset(PhraseDataset):
    """Flickr30k in the Flickr30k Entities release itself, phrase types included.

    ``ann_file`` is the list of image numbers of a split (``val.txt``, ``test.txt``), beside which
    lie ``Sentences`` and ``Annotations``. As published, a phrase is evaluated if its thing has
    a box; phrases of scenes and of unseen things are left out, and so are sentences without any
    other. A thing that is mentioned twice is two phrases.

    Args:
        dataset_name: Name of the data set in results.
        kwargs: Arguments of MMDetection's ``BaseDetDataset``; images are
            ``data_prefix.img/NUMBER.jpg``.

    Raises:
        FileNotFoundError: If a file of the release is missing.
        ValueError: If no sentence is left.
    """

    def load_data_list(self) -> list[dict]:
        """Build one entry per sentence that has a phrase with a box."""
        split = Path(self.ann_file)
        if not split.is_file():
            raise FileNotFoundError(f"'{split}' is missing: it lists the images of the split, one "
                                    'number a line; check data_root and ann_file')
        samples, passed = [], 0
        for number in read_text(split).split():
            if not number.isdecimal():
                raise DataError(f"'{split}': {number!r} is no image number: the file lists one a "
                                'line')
            known = read_boxes(split.parent / 'Annotations' / f'{number}.xml')
            image = dict(id=int(number), file_name=f'{number}.jpg', width=known.width,
                         height=known.height)
            sentences = read_sentences(split.parent / 'Sentences' / f'{number}.txt')
            for index, (caption, phrases) in enumerate(sentences):
                phrases = [p for p in phrases if p.thing in known.boxes]
                if not phrases:
                    passed += 1
                    continue
                samples.append(self._sample(
                    image, caption, [[list(p.span)] for p in phrases],
                    [known.boxes[p.thing] for p in phrases], phrases=[p.words for p in phrases],
                    phrase_types=[list(p.types) for p in phrases], sentence_id=index))
        if passed:
            MMLogger.get_current_instance().info(
                f"'{split}': {passed} sentences name nothing that has a box and are not evaluated")
        if not samples:
            raise DataError(f"'{split}' lists no image with a phrase that has a box")
        return samples


@DATASETS.register_module()
class MDETRPhraseDataset(PhraseDataset):
    """MDETR-style JSON: phrases of Flickr30k, or expressions of RefCOCO, RefCOCO+ and RefCOCOg.

    The file is COCO's, with one entry of ``images`` for every sentence. ``target='phrases'``:
    phrases are those of ``tokens_positive_eval``, boxes belong to the phrase with the same
    characters; types are unknown. ``target='expression'``: the whole sentence is one phrase, and
    all its boxes are right.

    Args:
        target: ``'phrases'`` or ``'expression'``.
        dataset_name: Name of the data set in results.
        kwargs: Arguments of MMDetection's ``BaseDetDataset``.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If ``target`` has another value, or a box belongs to no phrase.
    """

    def __init__(self, *args: Any, target: str = 'phrases', **kwargs: Any) -> None:
        if target not in ('phrases', 'expression'):
            raise ValueError("MDETRPhraseDataset.target must be 'phrases' or 'expression', got "
                             f'{target!r}')
        self.target = target
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Build one entry per sentence with a box."""
        content = read_coco(self.ann_file, needed=('images', 'annotations'))
        boxes: dict[Any, list[dict]] = defaultdict(list)
        for number, annotation in enumerate(content['annotations']):
            with self._naming(f'annotations[{number}]'):
                boxes[annotation['image_id']].append(annotation)
        samples = []
        with self._naming('images'):
            images = sorted(content['images'], key=lambda image: image['id'])
        for image in images:
            with self._naming(f"image {image['id']} or one of its annotations"):
                if not isinstance(image.get('caption'), str):
                    raise DataError(f"'{self.ann_file}': image {image['id']} has no caption; this "
                                    'dataset needs MDETR-style JSON')
                found = boxes.get(image['id'], [])
                if found:
                    samples.append(self._expression(image, found) if self.target == 'expression'
                                   else self._phrases(image, found))
        if not samples:
            raise DataError(f"'{self.ann_file}' has no sentence with a box")
        return samples

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Name the part of the file in errors of fields that are missing or of another type."""
        try:
            yield
        except DataError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            said = f'{error} is missing' if isinstance(error, KeyError) else str(error)
            raise DataError(f"'{self.ann_file}': {what}: {said}; this dataset needs MDETR-style "
                            'JSON') from error

    def _expression(self, image: dict, found: list[dict]) -> dict:
        caption = image['caption']
        return self._sample(image, caption, -1, [[xyxy(a['bbox']) for a in found]],
                            phrases=[caption], phrase_types=None, sentence_id=image['id'])

    def _phrases(self, image: dict, found: list[dict]) -> dict:
        spans = image.get('tokens_positive_eval')
        if not spans:
            raise DataError(f"'{self.ann_file}': image {image['id']} has no tokens_positive_eval; "
                            "use the evaluation files, or target='expression'")
        index = {_key(span): label for label, span in reversed(list(enumerate(spans)))}
        targets: list[list[list]] = [[] for _ in spans]
        for annotation in found:
            label = index.get(_key(annotation.get('tokens_positive') or annotation.get('tokens')
                                   or ()))
            if label is None:
                raise DataError(
                    f"'{self.ann_file}': annotation {annotation.get('id')} has the characters "
                    f"{annotation.get('tokens_positive')}, which are none of the phrases {spans} "
                    f"of image {image['id']}")
            targets[label].append(xyxy(annotation['bbox']))
        caption = image['caption']
        Prompt.from_caption(caption, spans)  # raises for spans that are none
        return self._sample(
            dict(image, id=image.get('original_img_id', image['id'])), caption, spans, targets,
            phrases=[' '.join(caption[b:e] for b, e in span) for span in spans],
            phrase_types=None, sentence_id=image.get('sentence_id', image['id']))


def _key(spans: Any) -> tuple:
    return tuple(sorted((int(b), int(e)) for b, e in spans))
