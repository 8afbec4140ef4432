"""Detection in videos: reading, tracking, writing."""

from .detection import VideoSummary, detect_video
from .reading import Frame, VideoError, VideoReader
from .tracking import Tracker
from .writing import VideoWriter

__all__ = ['Frame', 'Tracker', 'VideoError', 'VideoReader', 'VideoSummary', 'VideoWriter',
           'detect_video']
