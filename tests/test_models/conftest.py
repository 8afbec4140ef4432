import pytest

from glip_mm.models.language_models import BertLanguageModel

from .nano import build_nano, write_tiny_bert


@pytest.fixture(scope='session')
def tiny_bert(tmp_path_factory) -> str:
    return write_tiny_bert(tmp_path_factory.mktemp('bert') / 'tiny')


@pytest.fixture
def nano(tiny_bert):
    return build_nano(tiny_bert)


@pytest.fixture
def count_encodings(monkeypatch):
    """Number of texts of each call of the encoder."""
    calls = []
    original = BertLanguageModel.forward

    def spy(self, input_ids, mask):
        calls.append(len(input_ids))
        return original(self, input_ids, mask)

    monkeypatch.setattr(BertLanguageModel, 'forward', spy)
    return calls
