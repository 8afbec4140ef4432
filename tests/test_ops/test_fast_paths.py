import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from torch import nn

from glip_mm.ops.fast_paths import as_built, is_fast, plain


def test_contexts_may_overlap():
    first, second = plain('fusion'), plain('fusion', 'deform_conv')
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not is_fast('fusion') and not is_fast('deform_conv')
    second.__exit__(None, None, None)
    assert is_fast('fusion') and is_fast('deform_conv')


def test_a_context_holds_in_all_threads():
    with plain('fusion'), ThreadPoolExecutor(1) as pool:
        assert not pool.submit(is_fast, 'fusion').result()


def test_each_names_who_asked_for_an_unknown_path():
    with pytest.raises(ValueError, match=r"plain\(\) names \['Fusion'\]"), plain('Fusion'):
        pass
    done = subprocess.run([sys.executable, '-c', 'import glip_mm.ops.fast_paths'], text=True,
                          capture_output=True, env=dict(GLIP_MM_PLAIN='fusion, all, x'))
    assert "GLIP_MM_PLAIN names ['x']" in done.stderr


def test_what_is_as_built():
    layer = nn.Linear(2, 3)
    assert as_built(layer, nn.Linear) and not as_built(layer, nn.Module)
    handle = layer.register_forward_hook(lambda *a: None)
    assert not as_built(layer, nn.Linear)
    handle.remove()
    layer.forward = lambda x: x
    assert not as_built(layer, nn.Linear)
