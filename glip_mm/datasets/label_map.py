"""Label maps of ODVG detection data: ``{"0": "person", ...}``."""

import json
from pathlib import Path

from glip_mm.atomic_files import write_atomically


def read_label_map(path: str | Path) -> dict[int, str]:
    """Read a label map.

    Args:
        path: JSON file.

    Returns:
        Label -> class name.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not ``{"0": "name", ...}``.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8-sig'))
        return {int(label): name for label, name in content.items()}
    except FileNotFoundError:
        raise FileNotFoundError(f"label map '{path}' is missing") from None
    except (ValueError, AttributeError):
        raise ValueError(f"'{path}' is no label map: it must be {{\"0\": \"name\", ...}}, as the "
                         'converters write it') from None


def write_label_map(label_map: dict[int, str], path: str | Path) -> None:
    """Write a label map completely or not at all.

    Args:
        label_map: Label -> class name.
        path: The file; its folder is made if missing.
    """
    path = Path(path)
    content = json.dumps({str(label): label_map[label] for label in sorted(label_map)},
                         ensure_ascii=False, indent=0)
    write_atomically(path, content.encode() + b'\n')
