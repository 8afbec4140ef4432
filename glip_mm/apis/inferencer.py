"""Inference on images with class names or captions as prompts."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from glip_mm.visualization import draw_grounding, save_image
from glip_mm_cli.ending import no_room

from .images import ImageError, ImagePipeline, Input, list_images
from .outputs import OutputNames
from .prompts import make_prompt, make_prompts, warn_of_names
from .result import GroundingResult

if TYPE_CHECKING:
    from glip_mm.models.dense_heads import PredictionSettings
    from glip_mm.visualization import GroundingVisualizer


class FailedImage(NamedTuple):
    """An image that could not be used, and why."""
    index: int  # type: ignore[assignment]  # hides tuple.index
    path: str
    message: str


class GLIPInferencer:
    """Inference interface of GLIP: detects classes and phrases in images.

    Images go through the config's test pipeline and ``model.test_step``, exactly as in
    ``tools/test.py``.

    Args:
        model: Path of a config; a name of the model index, such as ``'glip_swin-t_o365'``, whose
            weights are downloaded once; a config; or a built GLIP.
        weights: Checkpoint (path or address) in the official, MMDetection's or our naming.
        device: Device such as ``'cuda:0'`` or ``'cpu'``; default: the accelerator if there is one
            (for a built model: the model's own device).
        cfg: Config with ``test_dataloader`` for a built model that has no ``model.cfg``.
        palette: Colours of the drawn boxes, see :func:`glip_mm.visualization.entity_colors`.
        font: Path of a font file for captions in scripts that DejaVu Sans lacks.
        show_progress: Whether to show a progress bar on stderr.

    Raises:
        FileNotFoundError: If a config or checkpoint does not exist.
        ValueError: If a name is unknown, or the checkpoint belongs to another model.

    Example:
        >>> inferencer = GLIPInferencer('glip_swin-t_o365-goldg')
        >>> result = inferencer('kitchen.jpg', ['cup', 'coffee maker'])['predictions'][0]
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
                 show_progress: bool = True) -> None:
        if isinstance(model, nn.Module):
            found = cfg if cfg is not None else getattr(model, 'cfg', None)
            if found is None:
                raise ValueError('a built model needs its config: GLIPInferencer(model, cfg=cfg)')
            if weights is not None:
                raise ValueError(f"weights='{weights}' were given with a built model; load them "
                                 'into it first, or give its config as model')
            self.cfg: Config = found
            self.model: Any = model if device is None else model.to(device)
        else:
            # importing MMDetection's models takes seconds: only when one must be built
            from .building import build_model, resolve_model
            self.cfg, checkpoint = resolve_model(model, weights)
            self.model = build_model(self.cfg, checkpoint).to(device or get_device())
        self.model.eval()
        with DefaultScope.overwrite_default_scope(self.cfg.get('default_scope', SCOPE)):
            self.pipeline = ImagePipeline(self.cfg)
        self.palette, self.font, self.show_progress = palette, font, show_progress
        self.prompt: Prompt | None = None
        self._checked: Prompt | None = None  # the last prompt whose names were looked at
        self._window: GroundingVisualizer | None = None

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
                 inputs: Input | Sequence[Input],
                 texts: Any = None,
                 spans: Any = None,
                 custom_entities: bool = False,
                 per_image: bool = False,
                 batch_size: int = 1,
                 chunked_size: int | None = None,
                 pred_score_thr: float = 0.3,
                 out_dir: str | PathLike = '',
                 no_save_vis: bool = False,
                 no_save_pred: bool = False,
                 return_vis: bool = False,
                 show: bool = False,
                 wait_time: float = 0,
                 tokens_positive: Any = None) -> dict[str, list]:
        """Detect classes or phrases in images.

        Args:
            inputs: Path, address, folder, uint8 BGR array, encoded image, or a list of these.
            texts: Prompt of all images: a list of class names of any length; a
                caption, whose noun phrases are found; ``'cat. remote control'`` with
                ``custom_entities``; ``'$: coco'`` for a data set's classes; a :class:`Prompt`.
                A list of prompts or of lists of names has one entry for each image. Default: the
                prompt of :meth:`set_prompt`.
            spans: Phrases of a caption: for each a list of ``[begin, end)`` characters.
            custom_entities: Whether a string in ``texts`` holds names separated by ``'. '``.
            per_image: Whether ``texts`` (and ``spans``) has one entry for each image. Needed for
                a list of captions, which is a list of names otherwise.
            batch_size: Number of images per forward pass.
            chunked_size: Number of class names per prompt; -1: as many as the language model
                takes. Default: the config's ``test_cfg.chunked_size``.
            pred_score_thr: Score threshold of drawn boxes; the predictions keep all boxes.
            out_dir: Folder for ``vis/NAME.jpg`` and ``preds/NAME.json``; empty: nothing is written.
            no_save_vis: Do not write drawn images.
            no_save_pred: Do not write predictions.
            return_vis: Return the drawn images.
            show: Show each drawn image in a window.
            wait_time: Seconds to show each window; 0: until a key is pressed.
            tokens_positive: Alias of ``spans``, MMDetection's name.

        Returns:
            ``predictions``: a :class:`GroundingResult` for each image, in order; ``None`` for one
            that could not be used. ``visualization``: RGB arrays if ``return_vis``, likewise.
            ``errors``: a :class:`FailedImage` for each that could not be used, drawn or written.
            Failures are logged at the end of a run; of a single image they are raised.

        Raises:
            FileNotFoundError: If the only image does not exist.
            ImageError: If the only image can't be decoded.
            ValueError: If no image could be used, or the texts are invalid.
        """
        images = list_images(inputs)
        prompts = self._prompts(texts, len(images), spans if spans is not None else tokens_positive,
                                custom_entities, per_image)
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt != self._checked]
        warn_of_names(self.model, new)
        self._checked = prompts[-1]
        if batch_size < 1:
            raise ValueError(f'batch_size={batch_size} must be at least 1')
        predictions: list[GroundingResult | None] = [None] * len(images)
        pictures: list[np.ndarray | None] = [None] * len(images)
        failure = _Failures(images)
        names = OutputNames()
        want_picture = return_vis or show or bool(out_dir) and not no_save_vis
        settings = None
        if chunked_size is not None:
            settings = self.model.test_cfg.replace(chunked_size=chunked_size)
        with self._progress(len(images)) as advance:
            for batch in _ahead(self._batches(images, prompts, batch_size, failure, advance)):
                for index, pixels, result in self._results(batch, settings, failure):
                    predictions[index] = result
                    name = names(result.path, index)
                    with failure.of(index):
                        if out_dir and not no_save_pred:
                            result.save(Path(out_dir, 'preds', f'{Path(name).stem}.json'))
                        if want_picture:
                            picture = self._draw(pixels, result, pred_score_thr)
                            if return_vis:
                                pictures[index] = picture
                            if out_dir and not no_save_vis:
                                save_image(Path(out_dir, 'vis', name), picture)
                            if show:
                                self._show(picture, name, wait_time)
                    advance(1)
        failure.report(nothing=all(result is None for result in predictions))
        return {'predictions': predictions, 'visualization': pictures if return_vis else [],
                'errors': failure.failed}

    def _prompts(self, texts: Any, count: int, spans: Any, custom_entities: bool,
                 per_image: bool) -> list[Prompt]:
        if texts is not None:
            return make_prompts(texts, count, spans, custom_entities, per_image)
        if spans is not None:
            raise ValueError(f'spans={spans!r} mark phrases of a caption, but texts is None; give '
                             'the caption as texts')
        if self.prompt is None:
            raise ValueError('texts is None and no prompt was set; give texts, for example '
                             "texts=['cat', 'remote control'], or call set_prompt() first")
        return [self.prompt] * count

    def _batches(self, images: Sequence[str | np.ndarray | bytes], prompts: Sequence[Prompt],
                 batch_size: int, failure: '_Failures', advance: Any
                 ) -> Iterator[list[tuple[int, np.ndarray, dict]]]:
        """Load and pack images; record those that cannot be used."""
        batch = []
        for index, (image, prompt) in enumerate(zip(images, prompts)):
            ready = None
            with failure.of(index):
                loaded = self.pipeline.load(image, index)
                ready = (index, loaded['img'], self.pipeline.pack(loaded, prompt))
            if ready is None:
                advance(1)
                continue
            batch.append(ready)
            if len(batch) == batch_size:
                yield batch
                batch = []
        if batch:
            yield batch

    def _results(self, batch: Sequence[tuple[int, np.ndarray, dict]],
                 settings: 'PredictionSettings | None', failure: '_Failures'
                 ) -> Iterator[tuple[int, np.ndarray, GroundingResult]]:
        """Predict a batch; if that fails, each of its images alone."""
        try:
            results = self._predict([sample for _, _, sample in batch], settings)
        except Exception:
            if len(batch) == 1:
                with failure.of(batch[0][0]):
                    raise
                return
            for one in batch:
                yield from self._results([one], settings, failure)
            return
        for (index, pixels, _), result in zip(batch, results):
            yield index, pixels, result

    @torch.no_grad()
    def _predict(self, samples: Sequence[dict],
                 settings: 'PredictionSettings | None') -> list[GroundingResult]:
        from mmengine.runner.amp import autocast
        half = bool((self.cfg.get('test_cfg') or {}).get('fp16', False))
        with autocast(enabled=half):
            outputs = self.model.test_step(pseudo_collate(samples), settings)
        return [GroundingResult.from_data_sample(sample) for sample in outputs]

    def _draw(self, pixels: np.ndarray, result: GroundingResult, score_thr: float) -> np.ndarray:
        return draw_grounding(pixels[..., ::-1], result, score_thr=score_thr,
                              palette=self.palette, font=self.font)

    def _show(self, picture: np.ndarray, name: str, wait_time: float) -> None:
        if self._window is None:
            from glip_mm.visualization import GroundingVisualizer
            self._window = GroundingVisualizer(f'glip_mm_inferencer_{id(self)}')
        self._window.show(picture, win_name=name, wait_time=wait_time)

    @contextmanager
    def _progress(self, total: int) -> Iterator[Any]:
        with Progress(console=Console(stderr=True), disable=not self.show_progress) as bar:
            task = bar.add_task('Inference', total=total)
            yield lambda count: bar.advance(task, count)


class _Failures:
    """Images of a run that failed; a run of one image ends with its error.

    Args:
        images: All images of the run.
    """

    def __init__(self, images: Sequence[str | np.ndarray | bytes]) -> None:
        self.images, self.failed = images, list[FailedImage]()

    @contextmanager
    def of(self, index: int) -> Iterator[None]:
        """Record whatever is raised as a failure of an image."""
        try:
            yield
        except Exception as error:  # decoders, transforms, models and writers have their own
            if len(self.images) == 1 or no_room(error):
                raise  # on a full disk all others would fail, too
            image = self.images[index]
            name = printable(image) if isinstance(image, str) else f'input {index}'
            text = printable(str(error))
            if not isinstance(error, (FileNotFoundError, ImageError)):
                text = f"image '{name}': {' '.join(text.split()) or type(error).__name__}"
            self.failed.append(FailedImage(index, name, text))

    def report(self, nothing: bool) -> None:
        """Log the failures; raise a ValueError if there is no result at all."""
        if not self.failed:
            return
        total = len(self.images)
        if nothing:
            raise ValueError(f'none of the {total} images could be used; the first: '
                             f'{self.failed[0].message}')
        lines = '\n'.join(f'  {entry.message}' for entry in self.failed)
        MMLogger.get_current_instance().warning(
            f'{len(self.failed)} of {total} images could not be used, drawn or written:\n{lines}')


def printable(text: str) -> str:
    """Replace what no terminal can show: bytes of a file name that is not UTF-8."""
    return text.encode(errors='backslashreplace').decode()


def _ahead(batches: Iterator[list]) -> Iterator[list]:
    """Load the next batch in a thread while the model processes the current one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = pool.submit(next, batches, None)
        while (batch := pending.result()) is not None:
            pending = pool.submit(next, batches, None)
            yield batch
