"""Processes wait for the one that scores, however long that takes."""

import time
from datetime import timedelta

import torch.distributed as dist
from mmengine.evaluator import BaseMetric

from glip_mm.engine.patience import wait_for_metrics
from tests.two_processes import in_two_processes


class Slow(BaseMetric):

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        time.sleep(4)
        return dict(sum=sum(results))


def score(rank, folder):
    dist.destroy_process_group()
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2,
                            timeout=timedelta(seconds=2))
    wait_for_metrics()
    metric = Slow(collect_dir=f'{folder}/parts')
    metric.process(None, [rank + 1])
    assert metric.evaluate(2) == dict(sum=3)


def test_a_scoring_longer_than_the_timeout(tmp_path):
    in_two_processes(score, str(tmp_path))
