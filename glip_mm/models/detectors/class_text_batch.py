"""One text for each class, with what is known of it, in place of one prompt for all."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from glip_mm.models.language_models import AGGREGATES, BertLanguageModel, TextFeatures
from glip_mm.text import Knowledge, Prompt

from .class_texts import ClassTexts
from .prompt_batch import Chunk, PromptBatcher

if TYPE_CHECKING:
    from .glip import GLIP

T = TypeVar('T')


class ClassTextBatcher(PromptBatcher):
    """Gives the head one "token" a class: the encoded text ``NAME: DEFINITION``.

    Classes do not see each other, so the scores of one do not depend on the others, and any
    number of them fits. The published "knowledge" checkpoint of GLIP-T (A) was trained this way
    (K-LITE, arXiv 2204.09222; ``GLIPKNOW.PARALLEL_LANGUAGE_INPUT`` of the authors). Behind the
    classes stands one more token, "no object": the empty text, which no class owns and no loss
    looks at.

    Args:
        language_model: Encodes the texts.
        knowledge: File with definitions, see :class:`~glip_mm.text.Knowledge`; ``None`` encodes
            the names alone.
        knowledge_type: Field or fields of the file.
        max_definitions: Most definitions of a list.
        aggregate: ``'first'`` takes the token [CLS] of a text, ``'mean'`` the mean of its tokens.
        strict: Raise an error for a class without a definition, instead of a warning.
        max_classes_per_batch: Classes that a training batch is compared with; default: all that
            its prompts name.
        batch_size: Texts that go through a trained language model together.
    """

    def __init__(self, language_model: BertLanguageModel, knowledge: str | None = None,
                 knowledge_type: None | str | Sequence[str] = None, max_definitions: int = 5,
                 aggregate: str = 'first', strict: bool = False,
                 max_classes_per_batch: int | None = None, batch_size: int = 64) -> None:
        super().__init__(language_model)
        if aggregate not in AGGREGATES:
            raise ValueError(f"model.class_texts.aggregate is '{aggregate}': choose one of "
                             f'{sorted(AGGREGATES)}')
        for key, value in dict(max_classes_per_batch=max_classes_per_batch,
                               batch_size=batch_size).items():
            if value is not None and value < 1:
                raise ValueError(f'model.class_texts.{key}={value} must be at least 1; leave it '
                                 'out for the default')
        if knowledge is None and (knowledge_type or strict):
            raise ValueError('model.class_texts.knowledge is missing: knowledge_type and strict '
                             'say how its file is used')
        self.aggregate, self.batch_size = aggregate, batch_size
        self.max_classes = max_classes_per_batch
        self.class_texts = ClassTexts(
            language_model, None if knowledge is None else Knowledge(
                knowledge, knowledge_type, max_definitions), strict)

    @classmethod
    def of_detector(cls, model: 'GLIP', config: dict) -> 'ClassTextBatcher':
        """Check that a detector can work with a text for each class.

        Args:
            model: A GLIP with all its parts.
            config: ``model.class_texts``.

        Raises:
            ValueError: If it can't, or for an unknown option.
        """
        known = list(inspect.signature(cls).parameters)[1:]
        for key in config:
            if key not in known:
                raise ValueError(f"model.class_texts has '{key}'; it knows {', '.join(known)}")
        if model.fusion_neck.fuse:
            raise ValueError(
                'model.class_texts needs a model without fusion (fusion_neck.fuse=False, GLIP-T '
                '(A)): fusion reads the words of all classes together with the image. With a fused '
                'model put words into the prompt instead: caption_prompt of the data set')
        for part, why in (
                ('mlm_head', 'it learns words from their neighbours in one prompt'),
                ('prompt_table', 'its vectors (prompt tuning) belong to positions of one prompt'),
                ('inter_image_loss', 'all images of a batch have the same classes')):
            if getattr(model, part) is not None:
                raise ValueError(f'model.class_texts and model.{part} exclude each other: {why}; '
                                 'remove one of them')
        if model.test_cfg.score_agg == 'ONEHOT':
            raise ValueError('model.class_texts and test_cfg.score_agg=\'ONEHOT\' exclude each '
                             "other: \"no object\" is no class; use 'MEAN'")
        if model.language_model.mask_special:
            raise ValueError('model.class_texts and language_model.mask_special exclude each '
                             'other: [CLS] is what may stand for a class')
        return cls(model.language_model, **config)

    # ---------------------------------------------------------------- texts

    def texts(self, prompt: Prompt) -> list[str]:
        """Return the text of each class.

        Args:
            prompt: Joined from class names.

        Raises:
            ValueError: If the prompt is a caption, or in strict mode for an unknown class.
        """
        if prompt.pieces is None:
            raise ValueError(
                f'the prompt {prompt.caption[:80]!r} is a caption, and model.class_texts encodes '
                'each class name by itself: give a list of names (or one string of them with '
                'custom_entities), or remove model.class_texts')
        return self.class_texts(prompt.names, super().texts(prompt))

    def describe(self, prompt: Prompt) -> str:
        """Describe the texts, for a log."""
        return f'each by itself: {self.texts(prompt)}'

    # ---------------------------------------------------------------- what the network sees

    def chunks(self, prompt: Prompt, max_classes: int | None = None) -> list[Chunk]:
        """Cut a prompt into parts of at most ``max_classes`` names; tokens set no limit."""
        count = len(prompt.entities)
        if max_classes is None or count <= max_classes or prompt.pieces is None:
            return [Chunk(prompt, torch.arange(count))]
        return self._remembered(
            ('chunks', prompt, max_classes),
            lambda: [Chunk(prompt.select(labels.tolist()), labels)
                     for labels in torch.arange(count).split(max_classes)])

    def encode(self, prompts: Sequence[Prompt]) -> TextFeatures:
        """Encode the classes of ``B`` prompts, each distinct text once.

        Args:
            prompts: ``B`` prompts joined from names.

        Returns:
            Features ``[B, E + 1, D]`` of each class and of "no object", for the longest prompt's
            ``E`` classes; the mask is true at classes alone.
        """
        texts = [[*self.texts(prompt), ''] for prompt in prompts]
        index = {text: i for i, text in enumerate(dict.fromkeys(sum(texts, [])))}
        vectors = self.language_model.encode_whole(list(index), self.aggregate, self.batch_size)
        rows = [vectors[[index[text] for text in of_one]] for of_one in texts]
        mask = [torch.tensor([bool(t.strip()) for t in of_one], device=vectors.device)
                for of_one in texts]
        features = pad_sequence(rows, batch_first=True)
        return TextFeatures(features, features, pad_sequence(mask, batch_first=True))

    def token_map(self, prompt: Prompt) -> Tensor:
        """Map class ``k`` to token ``k``, unless its text is blank: ``[E, E + 1]`` bool."""
        wordless = [k for k, text in enumerate(self.texts(prompt)) if not text.strip()]
        self._warn_without_tokens(prompt, wordless)
        owned = torch.eye(len(prompt.entities), len(prompt.entities) + 1, dtype=torch.bool)
        owned[wordless] = False
        return owned

    def batch_token_map(self, prompts: Sequence[Prompt], mask: Tensor) -> Tensor:
        """Stack the token maps, with one entity more that owns nothing: ``[B, E + 1, L]``."""
        return F.pad(super().batch_token_map(prompts, mask), (0, 0, 0, 1))

    # ---------------------------------------------------------------- training

    def for_training(self, prompts: Sequence[Prompt], gt_instances: Sequence[InstanceData]
                     ) -> tuple[Sequence[Prompt], Sequence[InstanceData]]:
        """Compare all images of a batch with the same classes, as published.

        These are the classes that have boxes and, up to ``max_classes_per_batch``, others that
        the prompts name, in random order. Every image is taken to show none of the classes that
        it has no boxes of. If even the classes with boxes are too many, some are left out:
        their boxes are learned without a word.

        Args:
            prompts: ``B`` prompts joined from names.
            gt_instances: Boxes with ``labels``, indices in the prompts.

        Returns:
            One prompt ``B`` times, and the boxes with their labels in it; a class that was left
            out has the label ``E``, which owns no token.
        """
        written: dict[str, str] = {}
        for prompt in prompts:
            self.texts(prompt)  # refuses captions
            for name, text in zip(prompt.names, super().texts(prompt)):
                written.setdefault(name, text)
        names = [[prompt.names[label] for label in gt.labels.tolist()]
                 for prompt, gt in zip(prompts, gt_instances)]
        positives = list(dict.fromkeys(sum(names, [])))
        negatives = [name for name in written if name not in set(positives)]
        chosen = (_shuffled(positives) + _shuffled(negatives))[:self.max_classes]
        chosen = _shuffled(chosen)
        shared = Prompt.from_names(chosen, caption_prompt=[dict(name=written[n]) for n in chosen])
        label_of = {name: label for label, name in enumerate(chosen)}
        relabelled = [
            InstanceData(bboxes=gt.bboxes, labels=gt.labels.new_tensor(
                [label_of.get(name, len(chosen)) for name in of_one]))
            for gt, of_one in zip(gt_instances, names)]
        return [shared] * len(prompts), relabelled


def _shuffled(items: Sequence[T]) -> list[T]:
    return [items[i] for i in torch.randperm(len(items)).tolist()]
