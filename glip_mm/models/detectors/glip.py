"""The GLIP detector: wires image side, text side, fusion and head."""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.detectors.base import BaseDetector
from mmdet.structures import DetDataSample, SampleList
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from glip_mm.checkpoints import adapt_state_dict, normalise_state_dict
from glip_mm.checkpoints.loader import free_prefixes
from glip_mm.models.dense_heads.atss_grounding_head import Assignment
from glip_mm.models.dense_heads.detection_selection import LevelOutput, merge_chunks
from glip_mm.models.dense_heads.inclusive_boxes import to_half_open, to_inclusive, to_original_frame
from glip_mm.models.dense_heads.prediction_settings import PredictionSettings
from glip_mm.models.language_models import TextFeatures, greenlight_row, mask_tokens
from glip_mm.models.layers.dynamic_conv import flatten_levels
from glip_mm.models.layers.feed_forward import speed_up_feed_forward
from glip_mm.models.layers.window_attention import speed_up_window_attention
from glip_mm.models.losses import dense_targets, mean_over_ranks
from glip_mm.models.tuning import Tuning, format_parts, part_rows
from glip_mm.ops.matrix_products import speed_up_linear
from glip_mm.ops.number_format import without_autocast
from glip_mm.registry import MODELS, SCOPE
from glip_mm.text import Prompt

from .chunk_loop import ground_chunks
from .class_text_batch import ClassTextBatcher
from .contracts import agreed, building, check_maps, check_strides, of_neck, through_neck
from .gradient_checkpointing import switch_checkpointing
from .labels import last_labels, present_spans
from .prompt_batch import Chunk, PromptBatcher, by_padded_size
from .shortlist import shortlisted_chunks

#: Marks a state dict that :meth:`GLIP.load_state_dict` has renamed.
_ADAPTED = 'glip_mm_adapted'


class GroundingOutput(NamedTuple):
    """Outputs of :meth:`GLIP.ground`.

    Attributes:
        levels: Dense outputs of the head.
        feats: Maps ``[B, C, h, w]`` after fusion.
        text: Text after fusion.
    """

    levels: list[LevelOutput]
    feats: Sequence[Tensor]
    text: TextFeatures


def _as_many(calls: int) -> int:
    return calls


@MODELS.register_module()
class GLIP(BaseDetector):
    """Grounded Language-Image Pre-training (arXiv 2112.03857).

    A data sample says what to look for in MMDetection's conventions (``text``,
    ``custom_entities``, ``tokens_positive``, ``caption_prompt``) or as a ``prompt``; a label is
    the index of a class or phrase in it. Any MMDetection backbone fits: channels and strides are
    the only contract between backbone, neck, fusion neck and head.

    Args:
        backbone: Image encoder.
        neck: Feature pyramid; a list of necks is run one after another.
        language_model: Text encoder; its width and layer shape are passed on to the fusion neck
            and all heads.
        fusion_neck: The tower; ``fuse=False`` for GLIP-T (A). Its channels are the neck's.
        bbox_head: Boxes and region-word logits. Channels and number of levels are the neck's.
        mlm_head: Masked-language head, for training with masked captions.
        prompt_table: Prompt tuning, for example ``dict(num_positions=1000)``.
        contrastive_loss: MDETR-style alignment loss.
        inter_image_loss: Region-word contrast across images.
        class_texts: Encode each class by itself, with its definition (models without fusion), for
            example ``dict(knowledge='FILE.yaml')``; options of
            :class:`~.class_text_batch.ClassTextBatcher`.
        with_cp: Gradient checkpointing of backbone, language model and fusion in one switch:
            memory for time. ``None`` leaves it to ``with_cp`` of each of them.
        tuning: tuning mode: its name, or a dict with ``type`` and options, see
            :class:`~glip_mm.models.tuning.Tuning`. ``None`` leaves it to the parts.
        strict_load: what happens to weights that do not fit where MMEngine loads (``load_from``,
            tests, ``init_cfg``): ``True`` refuses them; ``False`` takes what fits; a list of
            prefixes, such as ``['backbone.', 'neck.']``, is lenient there alone. What is left as it
            was is logged.
        train_cfg: Unused; accepted because MMDetection's configs have it.
        test_cfg: Selection of detections and chunking of vocabularies, see
            :class:`~glip_mm.models.dense_heads.PredictionSettings`, which it becomes; some keys of
            MMDetection are understood.
        data_preprocessor: MMDetection's ``DetDataPreprocessor``.
        init_cfg: initialisation, as everywhere in MMEngine.
    """

    def __init__(self, backbone: dict, neck: dict | list[dict] | None, language_model: dict,
                 fusion_neck: dict, bbox_head: dict, mlm_head: dict | None = None,
                 prompt_table: dict | None = None, contrastive_loss: dict | None = None,
                 inter_image_loss: dict | None = None, class_texts: dict | None = None,
                 with_cp: bool | None = None, tuning: None | str | dict = None,
                 strict_load: bool | Sequence[str] = True,
                 train_cfg: dict | None = None, test_cfg: dict | None = None,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.test_cfg = test_cfg
        free_prefixes(strict_load)  # refuses what is no strictness
        self.strict_load = strict_load
        self._first_neck = neck[0] if isinstance(neck, (list, tuple)) else neck or {}
        self._maps_fit = False  # until the first forward pass shows that they do
        # processes that share the parameters make the same number of calls: see the FSDP strategy
        self.agree_on_calls: Callable[[int], int] = _as_many
        self.tuning = Tuning(tuning) if tuning else None
        if self.tuning is not None:
            prompt_table = self.tuning.prompt_table(prompt_table)
        # types of parts mean ours first, then MMDetection's, whatever the config's scope
        with DefaultScope.overwrite_default_scope(SCOPE):
            if with_cp is not None:
                backbone, language_model, fusion_neck = (
                    switch_checkpointing(part, with_cp)
                    for part in (backbone, language_model, fusion_neck))
            with building('model.backbone', backbone):
                self.backbone = MODELS.build(backbone)
            with building('model.neck', neck):
                self.neck = MODELS.build(neck) if neck else nn.Identity()
            self.language_model = MODELS.build(language_model)
            width = self.language_model.language_dim
            channels = agreed('channels of the feature maps', {
                'model.neck.out_channels': of_neck('out_channels', neck, self.neck),
                'model.fusion_neck.in_channels': fusion_neck.get('in_channels'),
                'model.bbox_head.in_channels': bbox_head.get('in_channels')})
            levels = agreed('pyramid levels', {
                'model.neck.num_outs': of_neck('num_outs', neck, self.neck),
                'model.bbox_head.num_levels': bbox_head.get('num_levels')})
            derived = {} if channels is None else dict(in_channels=channels)
            text_layer = dict(self.language_model.layer_config,
                              **fusion_neck.get('text_layer', {}))
            self.fusion_neck = MODELS.build({**fusion_neck, **derived, 'text_layer': text_layer})
            if levels is not None:
                derived['num_levels'] = levels
            self.bbox_head = MODELS.build({**bbox_head, **derived, 'language_dim': width})

            def optional(cfg: dict | None, kind: str, **given: Any) -> Any:
                if cfg is None:
                    return None
                return MODELS.build({'type': kind, 'language_dim': width, **given, **cfg})

            channels = self.bbox_head.bbox_pred.in_channels
            self.mlm_head = optional(mlm_head, 'MaskedLanguageHead',
                                     vocab_size=self.language_model.vocab_size)
            self.prompt_table = optional(prompt_table, 'PromptTable')
            self.contrastive_loss = optional(contrastive_loss, 'ContrastiveAlignLoss',
                                             visual_dim=channels)
            self.inter_image_loss = optional(inter_image_loss, 'InterImageContrastiveLoss',
                                             visual_dim=channels)
        self.prompts = (PromptBatcher(self.language_model) if class_texts is None
                        else ClassTextBatcher.of_detector(self, class_texts))
        if self.tuning is not None:
            self.tuning.apply(self)
        speed_up_linear(speed_up_feed_forward(speed_up_window_attention(self)))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == 'language_model' and 'prompts' in self.__dict__:
            self.prompts.use(value)

    @property
    def test_cfg(self) -> PredictionSettings:
        """Settings of prediction; a mapping that is assigned is checked and converted."""
        return self._test_cfg

    @test_cfg.setter
    def test_cfg(self, settings: PredictionSettings | Mapping | None) -> None:
        self._test_cfg = settings if isinstance(settings, PredictionSettings) else (
            PredictionSettings.from_config(settings))

    def init_weights(self) -> None:
        """Initialise for training, and log what is going to be trained."""
        first = not self.is_init
        super().init_weights()
        if self.tuning is not None and first:
            self.tuning.after_init(self)
            MMLogger.get_current_instance().info(
                f'model.tuning: {self.tuning}\n{format_parts(part_rows(self))}')

    def train(self, mode: bool = True) -> 'GLIP':
        """Set the mode; parts that ``tuning`` freezes stay in evaluation mode."""
        super().train(mode)
        if self.tuning is not None:
            self.tuning.keep_evaluated(self)
        return self

    # ---------------------------------------------------------------- forward

    def extract_feat(self, batch_inputs: Tensor) -> list[Tensor]:
        """Extract the pyramid of images ``[B, 3, h, w]``: maps ``[B, C, h', w']``, finest first.

        Raises:
            ValueError: If the maps of the first images do not have the channels that neck and head
                are made for, or the strides of the anchors.
        """
        # after half() or bfloat16() images alone are still float32
        batch_inputs = batch_inputs.to(self.bbox_head.bbox_pred.weight.dtype)
        maps = self.backbone(batch_inputs)
        if self._maps_fit or torch.compiler.is_compiling():
            return list(self.neck(maps))
        feats = through_neck(self.neck, maps, self._first_neck.get('in_channels'))
        check_maps(feats, len(batch_inputs), self.bbox_head.bbox_pred.in_channels)
        check_strides(feats, batch_inputs.shape[-2:], self.bbox_head.anchor_generator.strides)
        self._maps_fit = True
        return feats

    def encode_text(self, prompts: Sequence[Prompt]) -> TextFeatures:
        """Encode ``B`` prompts, with the prompt table added if there is one."""
        text = self.prompts.encode(prompts)
        if self.prompt_table is None:
            return text
        return self.prompt_table(text, [p.caption for p in prompts])

    def ground(self, feats: Sequence[Tensor], text: TextFeatures,
               fused: bool = False) -> GroundingOutput:
        """Fuse image and text, and predict densely.

        Args:
            feats: Pyramid maps ``[B, C, h, w]``.
            text: Encoded captions ``[B, L, D]``.
            fused: the maps have gone through the tower already.

        Returns:
            Head outputs and both fused representations.
        """
        if not fused:
            feats, text = self.fusion_neck(feats, text)
        # models without fusion were trained on the masked text features
        words = text.hidden if self.fusion_neck.fuse else text.embedded
        return GroundingOutput(self.bbox_head(feats, words), feats, text)

    def _forward(self, batch_inputs: Tensor,
                 batch_data_samples: SampleList | None = None) -> list[LevelOutput]:
        if not batch_data_samples:
            raise ValueError("mode='tensor' needs data_samples: they hold the text to look for")
        prompts = [Prompt.from_data_sample(s) for s in batch_data_samples]
        text = self.encode_text(prompts)
        return self.ground(self.extract_feat(batch_inputs), text).levels

    # ---------------------------------------------------------------- training

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Compute the losses of a batch; images without boxes are background.

        Args:
            batch_inputs: ``[B, 3, h, w]``.
            batch_data_samples: samples with a prompt and ``gt_instances`` whose labels index it.

        Returns:
            Named scalars.

        Raises:
            ValueError: If a label is no index of its prompt.
        """
        prompts: Sequence[Prompt] = [Prompt.from_data_sample(s) for s in batch_data_samples]
        gt_instances: Sequence[InstanceData] = [s.gt_instances for s in batch_data_samples]
        for sample, prompt, last in zip(batch_data_samples, prompts, last_labels(gt_instances)):
            if last >= len(prompt.entities):
                raise ValueError(
                    f'{sample.get("img_path", "an image")} has label {last} but '
                    f'its prompt has {len(prompt.entities)} entities: check the transform that '
                    'builds it')
        prompts, gt_instances = self.prompts.for_training(prompts, gt_instances)
        text, mlm_labels = self._training_text(prompts, batch_data_samples)
        feats = self.extract_feat(batch_inputs)
        out = self.ground(feats, text)
        token_map = self.prompts.batch_token_map(prompts, text.mask).to(text.mask.device,
                                                                        non_blocking=True)
        with without_autocast(batch_inputs.device.type):
            assignment = self.bbox_head.assign(out.levels, gt_instances)
            losses = self.bbox_head.loss(out.levels, text.mask, token_map, assignment)
            if mlm_labels is not None:
                losses['loss_mlm'] = self.mlm_head.loss(self._words(out.text), mlm_labels)
            losses.update(self._contrastive(feats, text, out, token_map, assignment, prompts))
        return losses

    def _words(self, text: TextFeatures) -> Tensor:
        return (text.hidden if self.fusion_neck.fuse else text.embedded).float()

    def _training_text(self, prompts: Sequence[Prompt], samples: SampleList
                       ) -> tuple[TextFeatures, Tensor | None]:
        if self.mlm_head is None:
            return self.encode_text(prompts), None
        ids, mask, labels = self.mask_text(prompts, samples)
        text = self.language_model(ids, mask)
        if self.prompt_table is not None:
            text = self.prompt_table(text, [p.caption for p in prompts])
        return text, labels

    def mask_text(self, prompts: Sequence[Prompt],
                  samples: SampleList) -> tuple[Tensor, Tensor, Tensor]:
        """Mask some words of the prompts.

        Only words of entities that have boxes are learned, or those of a sample's
        ``greenlight_spans`` (characters; ``None`` switches masking off for that sample).

        Args:
            prompts: ``B`` prompts.
            samples: Their data samples.

        Returns:
            Masked ids ``[B, L]``, mask of real tokens ``[B, L]``, labels ``[B, L]``.
        """
        tokens = self.language_model.tokenize([p.caption for p in prompts])
        greenlight = None
        if self.mlm_head.only_positives:
            rows = torch.zeros(tokens.input_ids.shape, dtype=torch.long)
            for row, prompt, sample, offsets in zip(rows, prompts, samples, tokens.offsets):
                spans = (sample.greenlight_spans if 'greenlight_spans' in sample
                         else present_spans(prompt, sample.gt_instances.labels))
                row[:len(offsets)] = torch.from_numpy(greenlight_row(offsets, spans))
            greenlight = rows.to(tokens.input_ids.device)
        ids, labels = mask_tokens(
            tokens, greenlight, self.language_model.tokenizer.mask_token_id,
            self.language_model.vocab_size, self.mlm_head.mask_probability,
            self.mlm_head.corrupt_unlearned)
        return ids, tokens.mask, labels

    def _contrastive(self, feats: Sequence[Tensor], text: TextFeatures, out: GroundingOutput,
                     token_map: Tensor, assignment: Assignment,
                     prompts: Sequence[Prompt]) -> dict[str, Tensor]:
        losses = {}
        image = assignment.positives[:, 0]
        if self.contrastive_loss is not None or self.inter_image_loss is not None:
            count = mean_over_ranks(out.feats[0].new_full((), len(image), dtype=torch.float32))
            count = count.clamp(min=1)
        if self.contrastive_loss is not None:
            visual = flatten_levels(out.feats)
            targets = dense_targets(assignment.positives, token_map[image, assignment.labels],
                                    visual.shape[1], visual.shape[0])
            losses['loss_contrastive_align'] = self.contrastive_loss(
                visual, self._words(out.text), text.mask, targets) / count
        if self.inter_image_loss is not None:
            losses['loss_inter_image'] = self._inter_image(
                flatten_levels(feats), text, token_map, assignment, prompts) / count
        return losses

    def _inter_image(self, visual: Tensor, text: TextFeatures, token_map: Tensor,
                     assignment: Assignment, prompts: Sequence[Prompt]) -> Tensor:
        """Contrast regions before fusion with the words of all captions of the batch."""
        keep = torch.cat([(assignment.positives[:, 0] == i).nonzero().squeeze(1)
                          [:self.inter_image_loss.max_regions] for i in range(len(prompts))])
        image, anchor = assignment.positives[keep].unbind(dim=1)
        labels = assignment.labels[keep]
        positives = torch.zeros(len(keep), *text.mask.shape, dtype=torch.bool,
                                device=visual.device)
        for row, (i, label) in enumerate(zip(image.tolist(), labels.tolist())):
            name = prompts[i].names[label]
            for j, other in enumerate(prompts):
                same = [label] if i == j else [k for k, n in enumerate(other.names) if n == name]
                if same:
                    positives[row, j] = token_map[j, same].any(dim=0)
        return self.inter_image_loss(visual[image, anchor], text.hidden, text.mask, positives)

    # ---------------------------------------------------------------- inference

    def test_step(self, data: dict, settings: PredictionSettings | None = None,
                  rescale: bool = True) -> SampleList:
        """Detect in a batch of a data loader.

        Images that are padded to one size go through the network together, others after them:
        the fusion averages over padding, too, so an image beside a larger one has other scores
        than alone. ``test_cfg.mix_sizes`` pads all of them to the largest.

        Args:
            data: ``inputs`` and ``data_samples``.
            settings: see :meth:`predict`.
            rescale: see :meth:`predict`.

        Returns:
            See :meth:`predict`.
        """
        images, samples = data['inputs'], data['data_samples']
        groups = [list(range(len(images)))]
        if not (settings or self.test_cfg).mix_sizes and not isinstance(images, Tensor):
            divisor = getattr(self.data_preprocessor, 'pad_size_divisor', 1)
            groups = by_padded_size([image.shape[-2:] for image in images], divisor)
        found: dict[int, DetDataSample] = {}
        for group in groups:
            part = data if len(groups) == 1 else dict(
                data, inputs=[images[i] for i in group], data_samples=[samples[i] for i in group])
            part = self.data_preprocessor(part, False)
            if settings is None and rescale:
                results = self._run_forward(part, mode='predict')
            else:
                results = self.predict(part['inputs'], part['data_samples'], rescale, settings)
            found.update(zip(group, results))
        return [found[i] for i in range(len(found))]

    def val_step(self, data: dict) -> SampleList:
        """Detect in a batch of a data loader, see :meth:`test_step`."""
        return self.test_step(data)

    def predict(self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True,
                settings: PredictionSettings | None = None) -> SampleList:
        """Detect what each sample's prompt names; a long vocabulary goes in chunks.

        The image is encoded once; each chunk has its own budget of ``max_per_img`` detections
        and results are concatenated without NMS across chunks, as published, unless
        ``test_cfg.chunk_merge`` says otherwise. With ``test_cfg.shortlist`` only the names that a
        small copy of the image shows are looked for.

        Args:
            batch_inputs: images ``[B, 3, h, w]``.
            batch_data_samples: samples with prompts, ``img_shape`` and ``scale_factor``.
            rescale: return boxes in the original image's frame.
            settings: settings of this call; default: the model's ``test_cfg``.

        Returns:
            The samples with ``pred_instances``: ``bboxes`` (MMDetection's xyxy), ``scores``,
            ``labels`` (index in the prompt) and ``label_names``, best first.
        """
        settings = settings or self.test_cfg
        # of the texts, while a GPU has nothing to do yet, and not at each chunk
        unchanging = getattr(self.language_model, 'unchanging', contextlib.nullcontext)
        with unchanging(), settings.autocast(batch_inputs.device):
            chunks = None if settings.shortlist is None else shortlisted_chunks(
                self, batch_inputs, batch_data_samples, settings)
            return self.predict_from_feats(self.extract_feat(batch_inputs), batch_data_samples,
                                           rescale, settings, chunks)

    def predict_from_feats(self, feats: Sequence[Tensor], batch_data_samples: SampleList,
                           rescale: bool = True, settings: PredictionSettings | None = None,
                           chunks: Sequence[Sequence[Chunk]] | None = None) -> SampleList:
        """Detect in images that are encoded already, for many prompts to one image.

        Args:
            feats: Pyramid of :meth:`extract_feat`, maps ``[B, C, h, w]``.
            batch_data_samples: See :meth:`predict`.
            rescale: See :meth:`predict`.
            settings: see :meth:`predict`; a shortlist needs the image and is not made here.
            chunks: parts of each image's prompt that are looked for; default: all.

        Returns:
            See :meth:`predict`.
        """
        settings = settings or self.test_cfg
        prompts = [Prompt.from_data_sample(s) for s in batch_data_samples]
        if chunks is None:
            chunks = [self.prompts.chunks(p, settings.max_classes) for p in prompts]
        found: list[list[InstanceData]] = [[] for _ in prompts]
        for grounded in ground_chunks(self, feats, chunks, settings.chunk_batch):
            sizes = [tuple(batch_data_samples[i].img_shape[:2]) for i in grounded.images]
            detections = self.bbox_head.predict(grounded.levels, grounded.token_map, sizes,
                                                settings)
            for image, chunk, result in zip(grounded.images, grounded.chunks, detections):
                result.labels = chunk.labels.to(result.labels.device,
                                                non_blocking=True)[result.labels]
                found[image].append(result)
        results = [self._finish(parts, prompt, sample, rescale, settings)
                   for parts, prompt, sample in zip(found, prompts, batch_data_samples)]
        return self.add_pred_to_datasample(batch_data_samples, results)

    @staticmethod
    def _finish(parts: list[InstanceData], prompt: Prompt, sample, rescale: bool,
                settings: PredictionSettings) -> InstanceData:
        result = InstanceData.cat(parts)
        if len(parts) > 1:
            merge = settings.chunk_merge
            result = merge_chunks(result, merge.iou_threshold, merge.max_per_img)
        if rescale and 'scale_factor' in sample:
            result.bboxes = to_original_frame(result.bboxes, sample.scale_factor)
        else:
            result.bboxes = to_half_open(result.bboxes)
        if not settings.last_pixel:
            result.bboxes = to_inclusive(result.bboxes)
        names = prompt.names  # once: a list of the whole vocabulary
        result.label_names = [names[i] for i in result.labels.tolist()]
        return result

    # ---------------------------------------------------------------- checkpoints

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, *args, **kwargs):
        """Load as PyTorch does, from the official, MMDetection's or our own naming.

        Args:
            state_dict: State dict or container.
            strict: ``False``: keys may be missing or unexpected, and are returned. ``True``: they
                are an error, but for optional parts such as ``mlm_head``.
            *args: PyTorch's further arguments, such as ``assign``.
            **kwargs: likewise.

        Returns:
            ``missing_keys`` and ``unexpected_keys``.
        """
        metadata = dict(getattr(state_dict, '_metadata', {}))
        if strict:
            state_dict = dict(state_dict)
            adapt_state_dict(self, state_dict)
        elif state_dict:
            state_dict, _ = normalise_state_dict(state_dict, strict=False)
        state_dict = OrderedDict(state_dict)
        # as PyTorch does it
        state_dict._metadata = {  # type: ignore[attr-defined]
            **metadata, '': {**metadata.get('', {}), _ADAPTED: True}}
        return super().load_state_dict(state_dict, strict, *args, **kwargs)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, local_metadata: dict, *args,
                              **kwargs) -> None:
        """Accept every naming from MMEngine's loader, which begins here and never is strict."""
        if not prefix and not local_metadata.get(_ADAPTED):
            adapt_state_dict(self, state_dict, self.strict_load)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args, **kwargs)
