"""Limits of what is read from data: a small file must not fill the memory or take hours.

Each has an environment variable, which its messages name and docs/data_preparation.md lists. Those
of images are in :mod:`glip_mm.image_decoding`, which stands alone.
"""

import os
from typing import NamedTuple

from .image_decoding import LARGEST_FILE


class Limit(NamedTuple):
    """A limit; as text it says what to do about it."""

    variable: str
    default: int

    @property
    def value(self) -> int:
        """Return the limit, from its environment variable if that is set.

        Raises:
            ValueError: If the variable is no whole number.
        """
        given = os.environ.get(self.variable)
        if given is not None and not given.isdecimal():
            raise ValueError(f'{self.variable}={given!r} is no whole number')
        return self.default if given is None else int(given)

    def __str__(self) -> str:
        return f'{self.value:,} ({self.variable} sets another limit)'


#: Levels of nesting in JSON and YAML; Python's own parsers end near 900.
DEPTH = Limit('GLIP_MM_MAX_DEPTH', 100)
#: Values of a YAML file with all aliases written out; nine lines of aliases make 10**9.
YAML_VALUES = Limit('GLIP_MM_MAX_YAML_VALUES', 10_000_000)
#: Bytes of a JSON file that is read as a whole; those of annotations are read piece by piece.
JSON_BYTES = Limit('GLIP_MM_MAX_JSON_BYTES', 1 << 31)
#: Characters of an element of a large JSON file, such as one annotation.
JSON_ELEMENT = Limit('GLIP_MM_MAX_JSON_ELEMENT', 1 << 26)
#: Bytes of a line of a text file: a gzip file of a megabyte can hold one of a gigabyte.
LINE_BYTES = Limit('GLIP_MM_MAX_LINE_BYTES', 1 << 26)
#: Bytes of an image at an address, or in a file.
IMAGE_BYTES = Limit('GLIP_MM_MAX_IMAGE_BYTES', LARGEST_FILE)
#: Characters of a caption: tokenizing a whole file of text takes minutes.
CAPTION = Limit('GLIP_MM_MAX_CAPTION', 1 << 16)
#: Bytes of a file in a tar shard.
TAR_MEMBER = Limit('GLIP_MM_MAX_TAR_MEMBER', 1 << 29)
#: How many times its own size an archive may stand for, of predictions or of files with holes.
EXPANSION = Limit('GLIP_MM_MAX_EXPANSION', 1)
#: Size of a whole number in a config that comes with data.
NUMBER = Limit('GLIP_MM_MAX_CONFIG_NUMBER', 1 << 31)
#: Layers, blocks or stages of such a config.
LAYERS = Limit('GLIP_MM_MAX_LAYERS', 256)
