"""Fixtures of the parts that tools call."""

from ..test_apis.conftest import checkpoint, config, inferencer, pictures, tiny_bert  # noqa: F401
from ..test_finetuning.conftest import pets, tiny  # noqa: F401
