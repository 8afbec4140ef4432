"""Inference on images with class names or captions as prompts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from rich.console import Console
from rich.progress import Progress
from torch import nn

from glip_mm.registry import SCOPE
from glip_mm.text import Prompt
from glip_mm.thresholds import Thresholds, thresholds_file
from glip_mm.visualization import draw_grounding, save_image
from glip_mm_cli.outputs import check_folder_apart

from .detection import Detection, Found
from .devices import check_device
from .failures import Failures
from .images import ImagePipeline
from .inputs import Input, check_channel_order, expand_inputs
from .masks import Segmenter
from .negatives import with_negatives
from .options import check_options
from .outputs import OutputNames
from .prompts import make_prompt, make_prompts, thresholds_of, warn_of_names
from .result import GroundingResult
from .results import Results
from .tiles import Tiling
from .window import require_display, show_picture

if TYPE_CHECKING:
    from glip_mm.models.dense_heads import PredictionSettings


class GLIPInferencer:
    """Inference interface of GLIP: detects classes and phrases in images.

    Images go through the config's test pipeline and ``model.test_step``, exactly as in
    ``tools/test.py``.

    Args:
        model: Path of a config; a name of the model index, such as ``'glip_swin-t_o365'``, whose
            weights are downloaded once; a checkpoint that carries its config; a folder of
            :meth:`save_pretrained` or its id on the hub; a config; or a built GLIP.
        weights: Checkpoint (path or address) in the official, MMDetection's or our naming.
        device: Device such as ``'cuda:0'`` or ``'cpu'``; default: the accelerator if there is one
            (for a built model: the model's own device).
        cfg: Config with ``test_dataloader`` for a built model that has no ``model.cfg``.
        palette: Colours of the drawn boxes, see :func:`glip_mm.visualization.entity_colors`.
        font: Path of a font file for captions in scripts that DejaVu Sans lacks.
        show_progress: Whether to show a progress bar on stderr.
        masks: Folder or hub id of a Segment Anything model, which turns boxes into masks; results
            then have the boxes that are shown alone. See :class:`.masks.Segmenter`.

    Attributes:
        checkpoint: File of the weights, where they were read.
        thresholds: Scores from which boxes are shown: those stored beside the checkpoint, see
            :class:`glip_mm.thresholds.Thresholds`.

    Raises:
        FileNotFoundError: If a config or checkpoint does not exist.
        ValueError: If a name is unknown, the checkpoint belongs to another model, or the device
            can not be used.

    Example:
        >>> inferencer = GLIPInferencer('glip_swin-t_o365-goldg')
        >>> result = inferencer('kitchen.jpg', ['cup', 'coffee maker'])[0]
        >>> result.select(0.5).names
        ['cup', 'cup', 'coffee maker']
    """

    def __init__(self,
                 model: str | PathLike | Config | nn.Module,
                 weights: str | PathLike | None = None,
                 device: str | torch.device | None = None,
                 cfg: Config | None = None,
                 palette: str | Sequence[tuple[int, int, int]] | None = None,
                 font: str | None = None,
                 show_progress: bool = True,
                 masks: str | PathLike | None = None) -> None:
        check_device(device)
        self.checkpoint: Path | None = None
        self.thresholds = Thresholds()
        if isinstance(model, nn.Module):
            found = cfg if cfg is not None else getattr(model, 'cfg', None)
            if found is None:
                raise ValueError('a built model needs its config: GLIPInferencer(model, cfg=cfg)')
            if weights is not None:
                raise ValueError(f"weights='{weights}' were given with a built model; load them "
                                 'into it first, or give its config as model')
            self.cfg: Config = found
            from torch._dynamo import OptimizedModule  # a second that an import alone need not take
            if isinstance(model, OptimizedModule):
                MMLogger.get_current_instance().warning(
                    'torch.compile(model) compiles model.forward(), which does not predict: the '
                    'model is used as it is; model.backbone.compile() compiles the largest part')
                model = model._orig_mod
            self.model: Any = model if device is None else model.to(device)
        else:
            # importing MMDetection's models takes seconds: only when one must be built
            from glip_mm.checkpoints.model_index import located

            from .building import build_model, resolve_model
            self.cfg, checkpoint = resolve_model(model, weights)
            self.model = build_model(self.cfg, checkpoint).to(device or get_device())
            self.checkpoint = None if checkpoint is None else Path(located(checkpoint))
            self.thresholds = Thresholds.beside(self.checkpoint)
        self.model.eval()
        with DefaultScope.overwrite_default_scope(self.cfg.get('default_scope', SCOPE)):
            self.pipeline = ImagePipeline(self.cfg)
        self.palette, self.font, self.show_progress = palette, font, show_progress
        self.segmenter = None if masks is None else Segmenter(
            masks, next(self.model.parameters()).device)
        self.prompt: Prompt | None = None
        self._checked: Prompt | None = None  # the last prompt whose names were looked at

    @classmethod
    def from_pretrained(cls, name: str | PathLike, revision: str | None = None,
                        **options: Any) -> 'GLIPInferencer':
        """Load a folder of :meth:`save_pretrained`.

        Args:
            name: The folder, or the id of a model on the Hugging Face hub, ``'owner/name'``.
            revision: Branch, tag or commit on the hub.
            options: Further arguments of the class.

        Raises:
            FileNotFoundError: If there is no such folder or model.
            ValueError: If its config names anything but registered classes.
        """
        from .pretrained import find_pretrained
        return cls(find_pretrained(name, revision), **options)

    def save_pretrained(self, folder: str | PathLike) -> Path:
        """Write config, weights, tokenizer and a model card to a new folder.

        Args:
            folder: New or empty folder; see :mod:`.pretrained`.

        Returns:
            The folder.

        Raises:
            FileExistsError: If it is not empty.
            ValueError: If the config names files or code.
        """
        from .pretrained import save_pretrained
        return save_pretrained(folder, self.model, self.cfg, self.thresholds)

    def calibrate(self, data: str | PathLike, precision: float | None = None,
                  batch_size: int = 1) -> Thresholds:
        """Find thresholds on annotated images, use them, and store them beside the checkpoint.

        Args:
            data: Annotated folder or file, see :func:`.calibration.calibrate`.
            precision: Share of boxes that are to be right; default: the best F1.
            batch_size: Number of images per forward pass.

        Returns:
            The thresholds.

        Raises:
            FileNotFoundError, ValueError: See :func:`.calibration.calibrate`.
        """
        from .calibration import calibrate
        self.thresholds = calibrate(self, data, precision, batch_size)
        if self.checkpoint is not None:
            self.thresholds.save(thresholds_file(self.checkpoint))
        return self.thresholds

    def set_prompt(self, texts: Any, spans: Any = None, custom_entities: bool = False) -> Prompt:
        """Set the prompt of calls without ``texts``; the first call encodes it, once.

        Args:
            texts: Classes or caption, see :meth:`__call__`.
            spans: Phrases of a caption, see :meth:`__call__`.
            custom_entities: Whether a string holds names, see :meth:`__call__`.

        Returns:
            The prompt.
        """
        self.prompt = make_prompt(texts, spans, custom_entities)
        return self.prompt

    def __call__(self,
                 inputs: Input | Sequence[Input] | Iterator[Input],
                 texts: Any = None,
                 spans: Any = None,
                 custom_entities: bool = False,
                 per_image: bool = False,
                 batch_size: int = 1,
                 chunked_size: int | None = None,
                 pred_score_thr: float | Mapping[str, float] | Thresholds | None = None,
                 out_dir: str | PathLike = '',
                 no_save_vis: bool = False,
                 no_save_pred: bool = False,
                 return_vis: bool = False,
                 show: bool = False,
                 wait_time: float = 0,
                 tokens_positive: Any = None,
                 **options: Any) -> Results:
        """Detect classes or phrases in images.

        Args:
            inputs: Path, address, folder, text file of image names, uint8 array, tensor, PIL
                image, encoded image, or a list or generator of these, see
                :func:`.inputs.list_images`.
            texts: Prompt of all images: a list of class names of any length; a
                caption, whose noun phrases are found; ``'cat. remote control'`` with
                ``custom_entities``; ``'$: coco'`` for a data set's classes; a ``Path`` of a text
                file with one name a line; a :class:`Prompt`.
                A list of prompts or of lists of names has one entry for each image. Default: the
                prompt of :meth:`set_prompt`.
            spans: Phrases of a caption: for each a list of ``[begin, end)`` characters.
            custom_entities: Whether a string in ``texts`` holds names separated by ``'. '``.
            per_image: Whether ``texts`` (and ``spans``) has one entry for each image. Needed for
                a list of captions, which is a list of names otherwise.
            batch_size: Number of images, or of tiles, per forward pass.
            chunked_size: Number of class names per prompt; -1: as many as the language model
                takes. Default: the config's ``test_cfg.chunked_size``.
            pred_score_thr: Score threshold of boxes that are shown, counted and cut out: a
                number, or a dict from names to numbers, where others have 0.3. The results keep
                all boxes. Default: :attr:`thresholds`.
            out_dir: Folder for ``vis/NAME.jpg`` and ``preds/NAME.json``; empty: nothing is written.
            no_save_vis: Do not write drawn images.
            no_save_pred: Do not write predictions.
            return_vis: Return the drawn images.
            show: Show each drawn image in a window.
            wait_time: Seconds to show each window; 0: until a key is pressed.
            tokens_positive: Alias of ``spans``, MMDetection's name.
            options: Further options of :meth:`stream`.

        Returns:
            A :class:`GroundingResult` for each image, in order; ``None`` for one that could not be
            used. ``visualization``: RGB arrays if ``return_vis``, likewise. ``errors``: a
            :class:`.FailedImage` for each that could not be used, drawn or written.
            Failures are logged at the end of a run; of a single image they are raised.

        Raises:
            FileNotFoundError: If the only image does not exist.
            ImageError: If the only image can't be decoded.
            ValueError: If no image could be used, the texts are invalid, or there is no display.
        """
        if show:
            require_display()
        check_options(options, self._start, 'GLIPInferencer()')
        failures, found = self._start(
            inputs, texts, spans=spans if spans is not None else tokens_positive,
            custom_entities=custom_entities, per_image=per_image, batch_size=batch_size,
            chunked_size=chunked_size, pred_score_thr=pred_score_thr,
            drawn=Path(out_dir, 'vis') if out_dir and not no_save_vis else None, **options)
        predictions: list[GroundingResult | None] = []
        pictures: list[np.ndarray | None] = []
        names = OutputNames()
        want_picture = return_vis or show or bool(out_dir) and not no_save_vis
        if out_dir and not (no_save_vis and no_save_pred):  # before the work, if it can't be made
            Path(out_dir).mkdir(parents=True, exist_ok=True)
        for index, pixels, result in found:
            predictions.append(result)
            pictures.append(None)
            if result is None:
                continue
            name = names(result.path, index)
            with failures.of(index, result.path):
                if out_dir and not no_save_pred:
                    result.save(Path(out_dir, 'preds', f'{Path(name).stem}.json'))
                if want_picture:
                    picture = self._draw(pixels, result)
                    if return_vis:
                        pictures[index] = picture
                    if out_dir and not no_save_vis:
                        check_folder_apart(Path(out_dir, 'vis'), [result.path])
                        save_image(Path(out_dir, 'vis', name), picture)
                    if show:
                        show_picture(picture, name, wait_time)
        failures.report(len(predictions))
        return Results(predictions, pictures if return_vis else (), failures.failed)

    def stream(self, inputs: Input | Sequence[Input] | Iterator[Input], texts: Any = None,
               **options: Any) -> Iterator[GroundingResult | None]:
        """Detect in images one after the other, as they come and in memory that does not grow.

        Args:
            inputs: See :meth:`__call__`; of a generator a batch is taken at a time.
            texts: See :meth:`__call__`.
            options: ``spans``, ``custom_entities``, ``per_image``, ``batch_size``,
                ``chunked_size`` and ``pred_score_thr`` of :meth:`__call__`, and

                * ``negatives``: names that compete and are not returned, see
                  :func:`.negatives.without_negatives`;
                * ``tile``: width and height in pixels of the tiles that a larger image is looked
                  at in, besides the whole, see :func:`.tiles.merge_views`; default: no tiles;
                * ``overlap``: share of a tile that its neighbours show, too; default: 0.2;
                * ``shortlist``: number of names that are looked for at full size, those that a
                  small copy of the image (of each tile) shows best, or a dict of
                  ``test_cfg.shortlist``; default: the config's;
                * ``dtype``: number format of the network, ``'bfloat16'`` or ``'float16'`` (on a
                  GPU); default: the config's, float32;
                * ``channel_order``: order of the colours of arrays and tensors, ``'bgr'`` (the
                  default) or ``'rgb'``;
                * ``recursive``: whether subfolders of a folder are searched, too.

        Yields:
            A result for each image, in order; ``None`` for one that could not be used. Those are
            logged at the end.

        Raises:
            FileNotFoundError, ImageError, ValueError: See :meth:`__call__`.
        """
        check_options(options, self._start, 'GLIPInferencer.stream()')
        failures, found = self._start(inputs, texts, **options)

        def results() -> Iterator[GroundingResult | None]:
            total = 0
            for _, _, result in found:
                total += 1
                yield result
            failures.report(total)
        return results()

    def _start(self, inputs: Any, texts: Any = None, *, spans: Any = None,
               custom_entities: bool = False, per_image: bool = False, batch_size: int = 1,
               chunked_size: int | None = None, pred_score_thr: Any = None,
               negatives: str | Sequence[str] = (), tile: int | None = None, overlap: float = 0.2,
               shortlist: int | Mapping[str, Any] | None = None, dtype: str | None = None,
               channel_order: str = 'bgr', recursive: bool = False, drawn: Path | None = None
               ) -> tuple[Failures, Iterator[Found]]:
        """Check the arguments of a call, and return its failures and results."""
        check_channel_order(channel_order)
        if batch_size < 1:
            raise ValueError(f'batch_size={batch_size} must be at least 1')
        images = expand_inputs(inputs, recursive)
        total = len(images) if isinstance(images, list) else None
        if drawn and isinstance(images, list):
            check_folder_apart(drawn, images)
        prompts = self._prompts(texts, total, spans, custom_entities, per_image)
        asked = [with_negatives(prompt, negatives) for prompt in prompts]
        new = [prompt for prompt in dict.fromkeys(asked) if prompt != self._checked]
        warn_of_names(self.model, new)
        self._checked = asked[-1]
        changes = {name: value for name, value in dict(
            chunked_size=chunked_size, shortlist=shortlist,
            dtype=dtype).items() if value is not None}
        detection = Detection(
            self.pipeline, self._predict, batch_size, channel_order,
            None if tile is None else Tiling(tile, overlap),
            self.thresholds if pred_score_thr is None else thresholds_of(pred_score_thr, prompts),
            self.model.test_cfg.replace(**changes) if changes else None,
            self.segmenter)
        failures = Failures(alone=total == 1)
        pairs = repeat((prompts[0], asked[0])) if total is None else zip(prompts, asked)
        return failures, self._progress(detection.run(zip(images, pairs), failures), total)

    def _prompts(self, texts: Any, count: int | None, spans: Any, custom_entities: bool,
                 per_image: bool) -> list[Prompt]:
        if texts is not None:
            return make_prompts(texts, count, spans, custom_entities, per_image)
        if spans is not None:
            raise ValueError(f'spans={spans!r} mark phrases of a caption, but texts is None; give '
                             'the caption as texts')
        if self.prompt is None:
            raise ValueError('texts is None and no prompt was set; give texts, for example '
                             "texts=['cat', 'remote control'], or call set_prompt() first")
        return [self.prompt] * (count or 1)

    @torch.no_grad()
    def _predict(self, samples: Sequence[dict],
                 settings: 'PredictionSettings | None') -> list[GroundingResult]:
        from mmengine.runner.amp import autocast

        from glip_mm.safe_config import is_half
        with autocast(enabled=is_half(self.cfg)):
            outputs = self.model.test_step(pseudo_collate(samples), settings)
        return [GroundingResult.from_data_sample(sample) for sample in outputs]

    def _draw(self, pixels: np.ndarray, result: GroundingResult) -> np.ndarray:
        return draw_grounding(pixels[..., ::-1], result.shown, score_thr=0, palette=self.palette,
                              font=self.font)

    def _progress(self, found: Iterator[Found], total: int | None) -> Iterator[Found]:
        with Progress(console=Console(stderr=True), disable=not self.show_progress) as bar:
            task = bar.add_task('Inference', total=total)
            for each in found:
                yield each
                bar.advance(task)
