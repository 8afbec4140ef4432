"""Peak memory of a process."""

import importlib
import sys


def peak_rss(children: bool = False) -> int | None:
    """Return the peak resident set size.

    Args:
        children: Whether to add the largest of the ended children; unknown on Windows.

    Returns:
        Bytes; None if unknown: on Windows without psutil.
    """
    try:
        import resource
    except ImportError:  # Windows
        try:
            return importlib.import_module('psutil').Process().memory_info().peak_wset
        except (ImportError, AttributeError):
            return None
    unit = 1 if sys.platform == 'darwin' else 1024  # bytes there, else KiB
    who = [resource.RUSAGE_SELF] + [resource.RUSAGE_CHILDREN] * children
    return sum(resource.getrusage(each).ru_maxrss for each in who) * unit
