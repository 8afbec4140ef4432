"""What a training could not read is counted for its results."""

import json
from types import SimpleNamespace

from glip_mm.engine.hooks import ReplacedSamplesHook


class Member(list):
    """A data set of one sample."""

    def __init__(self, causes):
        super().__init__([0])
        self.counter = SimpleNamespace(causes=causes)


def runner_of(folder, causes, epoch=0):
    stream = SimpleNamespace(datasets=[Member(each) for each in causes])
    return SimpleNamespace(work_dir=str(folder), epoch=epoch, iter=epoch, train_loop=(
        SimpleNamespace(dataloader=SimpleNamespace(dataset=stream))))


def run(folder, *causes, epoch=0):
    hook, runner = ReplacedSamplesHook(), runner_of(folder, causes, epoch)
    hook.before_train(runner)
    hook.after_train_epoch(runner)
    path = folder / 'replaced_samples.json'
    return json.loads(path.read_text()) if path.is_file() else None


def test_counts_of_all_members_by_cause(tmp_path):
    assert run(tmp_path, {}) is None
    assert run(tmp_path, {'broken image': 2}, {'broken image': 1, 'missing image': 4}) == {
        'broken image': 3, 'missing image': 4}


def test_a_resumed_training_goes_on_counting_and_a_new_one_begins(tmp_path):
    assert run(tmp_path, {'broken image': 2}) == {'broken image': 2}
    assert run(tmp_path, {'broken image': 1}, epoch=3) == {'broken image': 3}
    assert run(tmp_path, {'missing image': 1}) == {'missing image': 1}
    assert run(tmp_path, {}) is None
