"""Reading of XML files that strangers made."""

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

from glip_mm.datasets.data_error import DataError

from .image_annotations import head

BAD_XML = 'XML file that cannot be parsed'
OTHER_ENCODING = 'XML file that is not in the encoding it declares, read as Windows-1252'
_ENCODING = re.compile(rb'<\?xml[^>]*encoding=["\']([A-Za-z0-9._-]+)["\']')


def read_xml(path: str | Path, change: Callable[[str, str], None] | None = None
             ) -> ElementTree.Element:
    """Read an XML file.

    Entities are refused: nested ones grow to gigabytes, and labels need none.

    Args:
        path: Path of the file.
        change: Function that is told a correction and its place.

    Returns:
        Root element.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it cannot be parsed; names the line.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"'{path}' is no regular file")
    content = Path(path).read_bytes()
    if b'<!ENTITY' in content.replace(b'\0', b''):
        raise DataError(f"'{path}' defines XML entities, which are not read: write the text "
                        'itself')
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        # Expat knows no encodings of several bytes but UTF-8 and UTF-16
        declared = _ENCODING.match(content.removeprefix(b'\xef\xbb\xbf'))
        for encoding in (declared[1].decode() if declared else 'utf-8', 'cp1252'):
            try:
                text = content.decode(encoding)
                if '<!ENTITY' in text:
                    break
                root = ElementTree.fromstring(text)
            except (ElementTree.ParseError, ValueError, LookupError):
                continue
            if change and encoding == 'cp1252':
                change(OTHER_ENCODING, str(path))
            return root
        raise DataError(f"'{path}' is no XML file that can be read: {error}") from None


def begins_with(path: Path, tag: str) -> bytes:
    """Return the beginning of an XML file whose root may be an element; else nothing."""
    # without zero bytes UTF-16 looks like ASCII
    text = head(path).replace(b'\0', b'')
    return text if re.search(rb'<' + tag.encode() + rb'[\s>]', text) else b''
