"""Fixtures of the parts that tools call."""

from tests.test_apis.conftest import checkpoint, config, inferencer, pictures, tiny_bert  # noqa: F401
from tests.test_finetuning.conftest import pets, tiny  # noqa: F401
