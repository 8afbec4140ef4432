"""Detection in all frames of a video, drawn, tracked and written."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

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
from glip_mm.visualization import draw_grounding

from .reading import Frame, VideoError, VideoReader
from .tracking import Tracker
from .writing import VideoWriter


@dataclass
class VideoSummary:
    """What was found in a video.

    Attributes:
        frames: Number of frames looked at.
        broken: Number of frames that could not be decoded or used.
        boxes: Number of boxes of each name, those above the threshold.
        tracks: Number of things of each name, if they were tracked.
        best: Highest score of all boxes.
    """
    frames: int = 0
    broken: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    tracks: Counter[str] = field(default_factory=Counter)
    best: float = 0.


def detect_video(inferencer: GLIPInferencer, source: str | Path, *, out: str | Path | None = None,
                 out_predictions: str | Path | None = None, score_thr: float = 0.3,
                 every: int = 1, batch_size: int = 1, chunked_size: int | None = None,
                 track: bool = False, show: Callable[[Any], bool] | None = None) -> VideoSummary:
    """Find the inferencer's prompt in a video.

    The prompt of :meth:`~glip_mm.apis.GLIPInferencer.set_prompt` is encoded once. Memory does not
    depend on the length of the video. A frame that is broken costs that frame.

    Args:
        inferencer: Inferencer with a prompt.
        source: See :class:`.reading.VideoReader`.
        out: MP4 file to write, with the boxes drawn in.
        out_predictions: JSON lines to write, one for each frame: ``frame``, ``seconds``, the fields
            of :meth:`.GroundingResult.to_dict`, and ``tracks`` if tracked. Lines are written as
            they are found, so that an interruption keeps them.
        score_thr: Score of boxes that are drawn, counted and written.
        every: Distance of the frames looked at.
        batch_size: Number of frames per forward pass.
        chunked_size: See :class:`~glip_mm.apis.GLIPInferencer`.
        track: Whether to number the things that are seen, see :class:`.tracking.Tracker`.
        show: Function that shows a BGR picture; it returns whether to go on.

    Returns:
        Counts.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If tracks are wanted and the package is missing.
        VideoError: If no frame can be used.
    """
    reader = VideoReader(source, every, ahead=2 * batch_size + 2)
    tracker = Tracker(reader.rate / every, score_thr) if track else None
    draw = out is not None or show is not None
    summary, owners = VideoSummary(), dict[int, str]()
    failed, first = 0, None
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
        frames = stack.enter_context(closing(iter(reader)))
        for frame, result in _results(inferencer, frames, batch_size, chunked_size):
            bar.advance(task)
            summary.frames += 1
            if isinstance(result, Exception):
                failed, first = failed + 1, first or result
                if writer is not None:
                    writer.write(frame.pixels)
                continue
            summary.best = max([summary.best, *result.scores[:1].tolist()])
            # a tracker also looks at boxes that score too little to be shown
            numbers = tracker(result.boxes, result.scores) if tracker else None
            result = result.select(score_thr)  # the best come first, as before
            tracks = None if numbers is None else numbers[:len(result)]
            summary.boxes.update(result.names)
            for name, number in zip(result.names, tracks or ()):
                if number is not None:
                    owners.setdefault(number, name)
            if lines is not None:
                row = dict(frame=frame.index, seconds=round(frame.seconds, 3), **result.to_dict())
                row |= {} if tracks is None else dict(tracks=tracks)
                lines.write(json.dumps(row, ensure_ascii=False) + '\n')
                lines.flush()
            if draw:
                picture = _draw(inferencer, frame, result, tracks)
                if writer is not None:
                    writer.write(picture)
                if show is not None and not show(picture):
                    break
    summary.broken = failed + reader.broken
    summary.tracks.update(owners.values())
    if first is not None and failed == summary.frames:
        raise VideoError(f"none of {summary.frames} frames of '{source}' could be used; the "
                         f'first: {first}')
    if summary.broken:
        MMLogger.get_current_instance().warning(
            f"'{source}': {summary.broken} frames could not be decoded or used"
            + (f'; the first: {first}' if first else ''))
    return summary


def _results(inferencer: GLIPInferencer, frames: Iterator[Frame], batch_size: int,
             chunked_size: int | None) -> Iterator[tuple[Frame, GroundingResult | Exception]]:
    while batch := list(islice(frames, batch_size)):
        yield from _predict(inferencer, batch, chunked_size)


def _predict(inferencer: GLIPInferencer, frames: Sequence[Frame], chunked_size: int | None
             ) -> Iterator[tuple[Frame, GroundingResult | Exception]]:
    """Predict a batch of frames; if that fails, each of them alone."""
    try:
        found = inferencer([frame.pixels for frame in frames], batch_size=len(frames),
                           chunked_size=chunked_size)['predictions']
    except Exception as error:  # models and transforms have their own
        if len(frames) == 1:
            yield frames[0], error
            return
        found = [None] * len(frames)
    for frame, result in zip(frames, found):
        if result is None and len(frames) > 1:
            yield from _predict(inferencer, [frame], chunked_size)
        else:
            yield frame, result


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
