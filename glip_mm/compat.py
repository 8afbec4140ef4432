"""Every workaround for a version of a third-party package: one function each, with its reason."""

from typing import Any

from transformers import AutoTokenizer


def load_tokenizer(name: str) -> Any:
    """A fast tokenizer from a folder or hub name.

    Why: transformers 5 removed ``batch_encode_plus`` and merged slow and fast classes; both
    majors agree on ``AutoTokenizer`` and on calling the tokenizer.

    Args:
        name: Folder with a vocabulary, or hub name.

    Returns:
        A tokenizer that gives character offsets.

    Raises:
        OSError: If nothing is found under the name.
        ValueError: If the tokenizer has no fast implementation.
    """
    tokenizer = AutoTokenizer.from_pretrained(name, use_fast=True)
    if not tokenizer.is_fast:
        raise ValueError(f"the tokenizer of '{name}' gives no character offsets: "
                         'use a model with a fast tokenizer')
    return tokenizer
