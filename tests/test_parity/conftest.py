from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / 'tests' / 'data' / 'golden'


@pytest.fixture(scope='session')
def golden_model():
    """Builds the models of golden folders, one at a time: two full-size ones need much memory."""
    from dev.parity.architecture import build_model, load_keys, seeded_weights
    built = {}

    def build(name: str, with_mlm: bool):
        if (name, with_mlm) not in built:
            built.clear()
            keys = load_keys(GOLDEN / name)
            state, row = seeded_weights(keys, GOLDEN / 'seeded_weights.py', with_mlm)
            assert row.passed, row
            with DefaultScope.overwrite_default_scope('glip_mm'):
                built[name, with_mlm] = build_model(keys, state)
        return built[name, with_mlm]

    yield build
    built.clear()
