"""Detection in all frames of a video, drawn, tracked and written."""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from glip_mm.apis.inferencer import GLIPInferencer
from glip_mm.apis.result import GroundingResult
from glip_mm.models.bounded_cache import BoundedCache
from glip_mm.thresholds import Thresholds
from glip_mm.visualization import draw_grounding
from glip_mm_cli.outputs import check_apart

from .reading import Frame, VideoReader
from .tracking import Tracker
from .writing import VideoWriter

#: Number of tracks, those seen last, that are known not to be new.
KNOWN_TRACKS = 10_000


@dataclass
class VideoSummary:
    """What was found in a video.

    Attributes:
        frames: Number of frames looked at.
        broken: Number of frames that could not be decoded or used.
        boxes: Number of boxes of each name that reach its threshold.
        tracks: Number of things of each name, if they were tracked.
        best: Highest score of all boxes.
    """
    frames: int = 0
    broken: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    tracks: Counter[str] = field(default_factory=Counter)
    best: float = 0.


def detect_video(inferencer: GLIPInferencer, source: str | Path | VideoReader, *,
                 out: str | Path | None = None, out_predictions: str | Path | None = None,
                 every: int = 1, track: bool = False, show: Callable[[Any], bool] | None = None,
                 batch_size: int = 1, pred_score_thr: Any = None, **options: Any) -> VideoSummary:
    """Find the inferencer's prompt in a video.

    The prompt of :meth:`~glip_mm.apis.GLIPInferencer.set_prompt` is encoded once. Memory does not
    depend on the length of the video. A frame that is broken costs that frame.

    Args:
        inferencer: Inferencer with a prompt.
        source: See :class:`.reading.VideoReader`; or such a reader, whose ``every`` counts.
        out: MP4 file to write, with the boxes drawn in.
        out_predictions: JSON lines to write, one for each frame: ``frame``, ``seconds``, the fields
            of :meth:`.GroundingResult.to_dict`, and ``tracks`` if tracked. Lines are written as
            they are found, so that an interruption keeps them.
        every: Distance of the frames looked at.
        track: Whether to number the things that are seen, see :class:`.tracking.Tracker`.
        show: Function that shows a BGR picture; it returns whether to go on.
        batch_size: Number of frames per forward pass.
        pred_score_thr: Thresholds of boxes that are drawn, counted and written, see
            :class:`~glip_mm.apis.GLIPInferencer`.
        options: Further options of :meth:`~glip_mm.apis.GLIPInferencer.stream`.

    Returns:
        Counts.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If tracks are wanted and the package is missing.
        ValueError: If no frame can be used, or the source is to be written over.
    """
    reader = source if isinstance(source, VideoReader) else VideoReader(source, every)
    every, reader.ahead = reader.every, 2 * batch_size + 2
    for path in (out, out_predictions):
        if path is not None:
            check_apart(path, reader.source)
    thresholds = inferencer.thresholds if pred_score_thr is None else Thresholds.of(pred_score_thr)
    tracker = Tracker(reader.rate / every, thresholds.default) if track else None
    summary, known = VideoSummary(), BoundedCache(KNOWN_TRACKS)
    waiting: deque[Frame] = deque()

    def pixels() -> Iterator[np.ndarray]:
        with closing(iter(reader)) as frames:
            for frame in frames:
                waiting.append(frame)
                yield frame.pixels

    with ExitStack() as stack:
        writer = lines = None
        if out is not None:
            sound = reader.source if Path(reader.source).is_file() else None
            writer = stack.enter_context(VideoWriter(out, reader.rate / every, sound))
        if out_predictions is not None:
            Path(out_predictions).parent.mkdir(parents=True, exist_ok=True)
            lines = stack.enter_context(open(out_predictions, 'w', encoding='utf-8'))
        bar = stack.enter_context(_progress())
        task = bar.add_task('frames', total=None if reader.count is None
                            else -(-reader.count // every))
        results = inferencer.stream(pixels(), batch_size=batch_size, pred_score_thr=thresholds,
                                    **options)
        for result in results:
            frame = waiting.popleft()
            bar.advance(task)
            summary.frames += 1
            if result is None:
                summary.broken += 1
                if writer is not None:
                    writer.write(frame.pixels)
                continue
            summary.best = max([summary.best, *result.scores.tolist()])
            # a tracker also looks at boxes that score too little to be shown
            numbers = None if tracker is None else np.array(
                tracker(result.boxes, result.scores), dtype=object)
            rows = result.shown_rows()
            result = result.shown
            tracks = None if numbers is None else numbers[rows].tolist()
            summary.boxes.update(result.names)
            for name, number in zip(result.names, tracks or ()):
                if number is not None and not known.get(number):
                    known.put(number, True)
                    summary.tracks[name] += 1
            if lines is not None:
                row = dict(frame=frame.index, seconds=round(frame.seconds, 3), **result.to_dict())
                row |= {} if tracks is None else dict(tracks=tracks)
                lines.write(json.dumps(row, ensure_ascii=False) + '\n')
                lines.flush()
            if writer is None and show is None:
                continue
            picture = _draw(inferencer, frame, result, tracks)
            if writer is not None:
                writer.write(picture)
            if show is not None and not show(picture):
                break
    summary.broken += reader.broken
    if summary.broken:
        MMLogger.get_current_instance().warning(
            f"'{reader.source}': {summary.broken} frames could not be decoded or used")
    return summary


def _draw(inferencer: GLIPInferencer, frame: Frame, result: GroundingResult,
          tracks: Sequence[int | None] | None) -> Any:
    if tracks is not None:
        names = [name if number is None else f'{name} #{number}'
                 for name, number in zip(result.names, tracks)]
        result = replace(result, names=names)
    picture = draw_grounding(frame.pixels[..., ::-1], result, score_thr=0., caption=False,
                             palette=inferencer.palette, font=inferencer.font)
    return picture[..., ::-1]


def _progress() -> Progress:
    return Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
                    TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))
