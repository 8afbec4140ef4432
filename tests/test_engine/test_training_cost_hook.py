"""The cost of a training run is measured, and a resumed run adds up."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

from mmengine.logging import MMLogger

from glip_mm.engine.hooks import TrainingCostHook
from glip_mm.registry import HOOKS
from tests import forked


def runner(tmp_path, resume=False):
    return SimpleNamespace(work_dir=str(tmp_path), iter=10, _resume=resume,
                           logger=MMLogger.get_instance('cost'))


def run(hook, this, seconds=0.05):
    hook.before_train(this)
    time.sleep(seconds)
    hook.after_train(this)
    return json.loads((Path(this.work_dir) / 'training_cost.json').read_text())


def test_it_measures_wall_clock_and_memory(tmp_path):
    cost = run(TrainingCostHook(), runner(tmp_path))
    assert 0.05 <= cost['train_seconds'] < 5
    assert 20 < cost['peak_rss_mb'] < 100_000
    assert cost['iterations'] == 10 and cost['threads'] >= 1


def test_memory_is_that_of_this_process():
    done = forked.run('-c', """
from glip_mm.peak_memory import peak_rss
before = peak_rss(children=True)
block = bytearray(200 * 2**20)
block[::4096] = b'x' * len(block[::4096])
print((peak_rss(children=True) - before) / 2**20)
""")
    assert float(done.stdout) > 150, done.stderr


def test_a_resumed_run_adds_what_was_spent_before(tmp_path):
    this, checkpoint = runner(tmp_path, resume=True), {}
    first = TrainingCostHook()
    first.before_train(this)
    first.before_save_checkpoint(this, checkpoint)
    checkpoint['training_cost']['train_seconds'] = 1000.
    second = TrainingCostHook()
    second.after_load_checkpoint(this, checkpoint)
    assert run(second, this)['train_seconds'] >= 1000


def test_loading_weights_adds_nothing(tmp_path):
    this = runner(tmp_path)
    hook = TrainingCostHook()
    hook.after_load_checkpoint(this, dict(training_cost=dict(train_seconds=1000., peak_rss_mb=1.)))
    assert run(hook, this)['train_seconds'] < 5


def test_it_is_registered():
    assert HOOKS.get('TrainingCostHook') is TrainingCostHook
