"""A test of a toy detector: toy_test.py WORK_DIR [--kill-after BATCHES] [--launcher pytorch]."""

import argparse
import json
import os
import signal
from pathlib import Path

import glip_mm.engine  # noqa: F401  before MMDetection, as in tests/conftest.py

# isort: split
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

from glip_mm.apis.launch import build_runner
from glip_mm.registry import DATASETS, METRICS, MODELS

IMAGES = 11


@DATASETS.register_module()
class ToyDataset(BaseDataset):
    METAINFO = dict(classes=('a', 'b'))

    def load_data_list(self):
        return [dict(img_id=i) for i in range(IMAGES)]

    def prepare_data(self, index):
        sample = DetDataSample(metainfo=dict(img_id=index, ori_shape=(8, 8), text=('a', 'b')))
        sample.gt_instances = InstanceData(bboxes=torch.ones(1, 4), labels=torch.tensor([1]))
        generator = torch.Generator().manual_seed(index)
        return dict(inputs=torch.rand(3, 8, 8, generator=generator), data_samples=sample)


@MODELS.register_module()
class ToyDetector(BaseModel):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = torch.nn.Linear(192, 6)

    def forward(self, inputs, data_samples=None, mode='predict'):
        # neighbours in the batch matter, as padding does
        out = self.layer(torch.stack(inputs).flatten(1))
        out = out + out.mean()
        for sample, row in zip(data_samples, out):
            sample.pred_instances = InstanceData(
                bboxes=row[:4][None], scores=row[4:5], labels=torch.tensor([0]))
        with open(os.environ['TOY_LOG'], 'a') as file:
            file.writelines(f'{s.img_id}\n' for s in data_samples)
        return data_samples


@METRICS.register_module()
class ToyMetric(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        for s in data_samples:
            assert s['gt_instances']['labels'].tolist() == [1]
            self.results.append((s['img_id'], s['pred_instances']['bboxes'].double().sum().item()
                                 + s['pred_instances']['scores'].double().sum().item()))

    def compute_metrics(self, results):
        assert [i for i, _ in results] == list(range(IMAGES))
        return dict(sum=sum((i + 1) * x for i, x in results))


class Kill(Hook):
    def __init__(self, after):
        self.after = after

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx + 1 == self.after:
            os.kill(os.getpid(), signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('work_dir')
    parser.add_argument('--kill-after', type=int)
    parser.add_argument('--kill-rank', type=int, default=0)
    parser.add_argument('--launcher', default='none')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--shuffle', action='store_true')
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = Config(dict(
        default_scope='glip_mm', work_dir=args.work_dir, launcher=args.launcher,
        experiment_name='toy', env_cfg=dict(dist_cfg=dict(backend='gloo')),
        model=dict(type='ToyDetector', seed=args.seed), test_evaluator=dict(type='ToyMetric'),
        test_cfg=dict(type='ResumableTestLoop', save_every=2),
        test_dataloader=dict(
            batch_size=2, num_workers=0, dataset=dict(type='ToyDataset'),
            sampler=dict(type='DefaultSampler', shuffle=args.shuffle))))
    runner = build_runner(config)
    if args.kill_after and runner.rank == args.kill_rank:
        runner.register_hook(Kill(args.kill_after))
    metrics = runner.test()
    if runner.rank == 0:
        Path(args.work_dir, 'toy.json').write_text(json.dumps(metrics))


if __name__ == '__main__':
    main()
