"""Two processes with half a batch each learn what one process learns from the whole batch."""

import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from .nano import build_nano, data_sample, image, losses_of

SAMPLES = [(('cat', 'dog'), [[10, 10, 50, 50], [40, 20, 90, 60]], [0, 1]),
           (('cat',), [[5, 20, 60, 62]], [0]),
           (('a bird', 'tree', 'car'), [], []),
           (('car', 'dog', 'red house'), [[20, 8, 70, 50]], [2])]


def gradients(model, indices):
    losses = losses_of(model, [image(i) for i in indices], [data_sample(*SAMPLES[i])
                                                             for i in indices])
    sum(losses.values()).backward()
    core = getattr(model, 'module', model)
    return {n: p.grad for n, p in core.named_parameters() if p.requires_grad}


def deterministic_model(bert):
    model = build_nano(bert)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif hasattr(module, 'dropout_prob'):
            module.dropout_prob = 0.0  # the fused attention of transformers 4
    model.backbone.eval()  # batch statistics would differ between halves
    return model


class Wrapper(torch.nn.parallel.DistributedDataParallel):

    @property
    def data_preprocessor(self):
        return self.module.data_preprocessor


def work(rank, bert, folder):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE='2')
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    model = Wrapper(deterministic_model(bert))
    grads = gradients(model, [0, 1] if rank == 0 else [2, 3])
    if rank == 0:
        torch.save(grads, f'{folder}/grads.pth')
    dist.destroy_process_group()


def test_two_processes_equal_one(tiny_bert, tmp_path):
    mp.spawn(work, (tiny_bert, str(tmp_path)), nprocs=2)
    shared = torch.load(tmp_path / 'grads.pth', weights_only=True)
    single = gradients(deterministic_model(tiny_bert), [0, 1, 2, 3])
    assert shared.keys() == single.keys()
    for name, wanted in single.items():
        torch.testing.assert_close(shared[name], wanted, rtol=1e-3, atol=1e-5, msg=name)
