import pytest

from .nano import build_nano, write_tiny_bert


@pytest.fixture(scope='session')
def tiny_bert(tmp_path_factory) -> str:
    return write_tiny_bert(tmp_path_factory.mktemp('bert') / 'tiny')


@pytest.fixture
def nano(tiny_bert):
    return build_nano(tiny_bert)
