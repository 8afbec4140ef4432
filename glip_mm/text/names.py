"""The published cleaning of class names."""
import re

_PARENTHESES = re.compile(r'\(.*\)')


def clean_name(name: str) -> str:
    """Make a class name readable for the language model, exactly as the released models saw it.

    Everything from the first ``(`` to the last ``)`` goes, underscores become blanks, then one
    single pass halves double blanks. No stripping and no lower-casing: the checkpoints' prompts
    were written this way (GLIP ``clean_name``), and the LVIS and ODinW numbers depend on it.

    Args:
        name: The raw class name.

    Returns:
        The cleaned name. Two different classes may collide, and a name may become blank.

    Example:
        >>> clean_name('bow_(weapon)')
        'bow '
    """
    return _PARENTHESES.sub('', name).replace('_', ' ').replace('  ', ' ')
