"""Data sets on disk: an index of offsets, and reading through it."""

from .mapped_table import MappedTable, open_or_build
from .sources import FORMATS, Row, Source

__all__ = ['FORMATS', 'MappedTable', 'Row', 'Source', 'open_or_build']
