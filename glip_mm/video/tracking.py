"""Tracks: the same number for the same thing in all frames."""

from typing import Any

import numpy as np


class Tracker:
    """Number boxes by ByteTrack, as the package ``trackers`` has it.

    Args:
        rate: Frames per second that it sees.
        score_thr: Score from which on a box may begin a track.

    Raises:
        ImportError: If the package is missing.
    """

    def __init__(self, rate: float, score_thr: float) -> None:
        try:
            from supervision import Detections
            from trackers import ByteTrackTracker
        except ImportError as error:
            raise ImportError("tracks need the package 'trackers': pip install trackers "
                              f'({error})') from error
        self._detections: Any = Detections
        # boxes of the language model score less than those of detectors: what is drawn is tracked
        self._tracker = ByteTrackTracker(
            frame_rate=rate, track_activation_threshold=score_thr,
            high_conf_det_threshold=score_thr, minimum_consecutive_frames=1)

    def __call__(self, boxes: np.ndarray, scores: np.ndarray) -> list[int | None]:
        """Give the boxes of the next frame their numbers.

        Args:
            boxes: ``[K, 4]`` in pixels, x1 y1 x2 y2.
            scores: ``[K]``.

        Returns:
            Number of each box's track; None for a box of no track.
        """
        order = np.arange(len(boxes))
        found = self._tracker.update(self._detections(
            xyxy=np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
            confidence=np.asarray(scores, dtype=np.float32), class_id=order))
        numbers: list[int | None] = [None] * len(boxes)
        if found.tracker_id is not None:
            for place, number in zip(found.class_id, found.tracker_id):
                numbers[int(place)] = int(number) if number >= 0 else None
        return numbers
