"""Drawing of tests."""

import errno
from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.structures import DetDataSample
from mmengine.visualization import Visualizer

from glip_mm.engine.hooks import DetVisualizationHook
from glip_mm.registry import HOOKS
from glip_mm.visualization import save_image


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A hook in a relative work directory, and what it draws."""
    monkeypatch.chdir(tmp_path)
    Visualizer.get_instance('drawn')
    hook = HOOKS.build(dict(type='DetVisualizationHook', draw=True, test_out_dir='shown'))
    files = []
    hook._visualizer = SimpleNamespace(add_datasample=lambda name, img, out_file, **_: files.append(
        out_file))
    return hook, files


def test_one_picture_that_fails_ends_nothing(drawn, caplog):
    hook, files = drawn
    warnings = []
    runner = SimpleNamespace(work_dir='run', timestamp='now',
                             logger=SimpleNamespace(warning=warnings.append))
    for name in ('a', 'c'):
        save_image(f'{name}.png', np.zeros((4, 4, 3), np.uint8))
    batches = [[DetDataSample(metainfo=dict(img_path=f'{name}.png')) for name in names]
               for names in ('ab', 'c')]
    for i, batch in enumerate(batches):
        hook.after_test_iter(runner, i, None, batch)
    assert files == ['run/now/shown/a.png', 'run/now/shown/c.png']
    warning, = warnings
    assert warning.startswith("picture 1 that could not be drawn: 'b.png': ")


def test_a_full_disk_ends_the_test(drawn):
    hook, _ = drawn
    assert type(hook) is DetVisualizationHook

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, 'No space left on device')
    hook._visualizer.add_datasample = full
    save_image('a.png', np.zeros((4, 4, 3), np.uint8))
    runner = SimpleNamespace(work_dir='run', timestamp='now')
    with pytest.raises(OSError, match='No space left'):
        hook.after_test_iter(runner, 0, None, [DetDataSample(metainfo=dict(img_path='a.png'))])
