"""Draw data samples where MMDetection's DetVisualizationHook asks for it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from mmdet.visualization import DetLocalVisualizer
from mmengine.dist import master_only

from glip_mm.registry import VISUALIZERS
from glip_mm.text import Prompt

from .files import save_image
from .grounding import draw_grounding


@VISUALIZERS.register_module()
class GroundingVisualizer(DetLocalVisualizer):
    """Draw data samples with :func:`draw_grounding`.

    Takes everything that ``DetLocalVisualizer`` takes. The prompt comes from the data sample;
    without one, labels are looked up in ``dataset_meta['classes']`` and there is no caption.

    Args:
        caption: Whether the caption is drawn under the picture.
        font: Path of a font file, for scripts that DejaVu Sans lacks.
    """

    def __init__(self, name: str = 'visualizer', *args: Any, caption: bool = True,
                 font: str | None = None, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        self.caption = caption
        self.font = font

    @master_only
    def add_datasample(self, name: str, image: np.ndarray, data_sample: Any = None,
                       draw_gt: bool = True, draw_pred: bool = True, show: bool = False,
                       wait_time: float = 0, out_file: str | None = None,
                       pred_score_thr: float = 0.3, step: int = 0) -> None:
        """Draw ground truth (left) and predictions (right), then show or store the picture.

        Args:
            name: Name of the picture in the backends, or of the window.
            image: ``[height, width, 3]`` RGB.
            data_sample: A ``DetDataSample`` with ``gt_instances`` or ``pred_instances``.
            draw_gt: Whether to draw ``gt_instances`` if there are any.
            draw_pred: Whether to draw ``pred_instances`` if there are any.
            show: Whether to open a window.
            wait_time: Seconds that the window stays; 0: until a key is pressed.
            out_file: File to write instead of handing the picture to the backends.
            pred_score_thr: Score below which predictions are not drawn.
            step: Step for the backends.
        """
        panels = []
        if data_sample is not None:
            sample = data_sample.cpu()
            prompt = sample_prompt(sample)
            wanted = dict(gt_instances=draw_gt, pred_instances=draw_pred)
            fields = [field for field in wanted if wanted[field] and field in sample]
            for field in fields:
                title = '' if len(fields) == 1 else field.split('_')[0].replace('gt', 'truth')
                result = self._to_result(sample.get(field), prompt)
                panels.append(draw_grounding(
                    image, result, prompt, pred_score_thr, self.dataset_meta.get('palette'),
                    self.caption, title.replace('pred', 'prediction'), self.font))
        drawn = _side_by_side(panels) if panels else np.asarray(image).astype(np.uint8)
        self.set_image(drawn)
        if show:
            self.show(drawn, win_name=name, wait_time=wait_time)
        if out_file is not None:
            save_image(out_file, drawn)
        else:
            self.add_image(name, drawn, step)

    def _to_result(self, instances: Any, prompt: Prompt | None) -> SimpleNamespace:
        labels = instances.labels.numpy()
        names = prompt.names if prompt is not None else self.dataset_meta.get('classes', ())
        boxes = getattr(instances.bboxes, 'tensor', instances.bboxes).numpy()
        scores = instances.scores.numpy() if 'scores' in instances else None
        return SimpleNamespace(
            boxes=boxes, labels=labels, scores=scores,
            names=[names[label] if label < len(names) else f'{label}' for label in labels])


def sample_prompt(sample: Any) -> Prompt | None:
    """Return the prompt of a data sample; ``None`` where it has neither prompt nor text."""
    if sample.get('prompt') is None and sample.get('text') is None:
        return None
    return Prompt.from_data_sample(sample)


def _side_by_side(panels: list[np.ndarray]) -> np.ndarray:
    height = max(panel.shape[0] for panel in panels)
    # captions may have different heights where a long vocabulary is shortened to what was found
    padded = [
        np.pad(panel, ((0, height - panel.shape[0]), (0, 0), (0, 0)), constant_values=250)
        for panel in panels
    ]
    return np.concatenate(padded, axis=1)
