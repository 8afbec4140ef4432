"""Two processes with half a batch each learn what one process learns from the whole batch."""

from importlib.util import find_spec

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope

from glip_mm.models.detectors import glip
from glip_mm.registry import MODELS
from tests.two_processes import in_two_processes

from .nano import build_nano, data_sample, image, losses_of, nano_config

SAMPLES = [(('cat', 'dog'), [[10, 10, 50, 50], [40, 20, 90, 60]], [0, 1]),
           (('cat',), [[5, 20, 60, 62]], [0]),
           (('a bird', 'tree', 'car'), [], []),
           (('car', 'dog', 'red house'), [[20, 8, 70, 50]], [2]),
           (('tree', 'dog'), [], [])]
# images of each process
SPLITS = dict(mixed=([0, 1], [2, 3]), one_process_without_boxes=([0, 3], [2, 4]),
              no_boxes_at_all=([2], [4]), uneven_boxes=([0, 2], [1, 3]))
HEADS = dict(plain={}, contrastive=dict(contrastive_loss={}), masked_words=dict(mlm_head={}))
SWIN = dict(type='SwinTransformer', embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 4],
            window_size=4, out_indices=(1, 2, 3))
# what differs between the released models, and what they leave off
PRESETS = dict(
    glip_t_a=dict(fuse=False), glip_t=dict(),
    glip_l=dict(backbone=dict(SWIN, frozen_stages=1), in_channels=(48, 96, 192), num_layers=8,
                with_cp=True),
    mlm=dict(mlm_head={}), contrastive=dict(contrastive_loss={}),
    inter_image=dict(inter_image_loss={}), a_mlm=dict(fuse=False, mlm_head={}),
    frozen_text=dict(frozen=True),
    everything=dict(mlm_head={}, contrastive_loss={}, inter_image_loss={},
                    prompt_table=dict(num_positions=64)),
    **{f'tuning_{mode}': dict(tuning=mode) for mode in
       ('full', 'head', 'linear', 'language', 'linear_language')},
    # the captions of these samples differ
    **{f'tuning_{mode}': dict(tuning=dict(type=mode, one_prompt=False))
       for mode in ('prompt', 'linear_prompt')})
if find_spec('peft'):
    PRESETS['tuning_lora'] = dict(backbone=SWIN, in_channels=(48, 96, 192), tuning='lora')


def all_words_masked(tokens, greenlight, mask_id, *settings):
    """Stands for the random masking, which draws differently for batches of another size."""
    learned = greenlight == 1
    labels = tokens.input_ids.masked_fill(~learned, -100)
    return tokens.input_ids.masked_fill(learned, mask_id), labels


def deterministic(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif hasattr(module, 'dropout_prob'):
            module.dropout_prob = 0.0  # the fused attention of transformers 4
    model.backbone.eval()  # batch statistics would differ between halves
    return model


def gradients(model, indices):
    losses = losses_of(model, [image(i) for i in indices],
                       [data_sample(*SAMPLES[i]) for i in indices])
    sum(losses.values()).backward()
    core = getattr(model, 'module', model)
    return {n: p.grad for n, p in core.named_parameters() if p.requires_grad}


class Wrapper(torch.nn.parallel.DistributedDataParallel):

    @property
    def data_preprocessor(self):
        return self.module.data_preprocessor


def compare(rank, bert, folder):
    glip.mask_tokens = all_words_masked
    found = {}
    for split, indices in SPLITS.items():
        for head, settings in HEADS.items():
            model = Wrapper(deterministic(build_nano(bert, **settings)))
            found[split, head] = gradients(model, indices[rank])
    if rank == 0:
        torch.save(found, f'{folder}/grads.pth')


@pytest.fixture(scope='module')
def shared(tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp('two')
    in_two_processes(compare, tiny_bert, str(folder))
    return torch.load(folder / 'grads.pth', weights_only=True)


@pytest.mark.parametrize('split', SPLITS)
@pytest.mark.parametrize('head', HEADS)
def test_two_processes_equal_one(shared, tiny_bert, monkeypatch, split, head):
    monkeypatch.setattr(glip, 'mask_tokens', all_words_masked)
    model = deterministic(build_nano(tiny_bert, **HEADS[head]))
    single = gradients(model, SPLITS[split][0] + SPLITS[split][1])
    assert shared[split, head].keys() == single.keys()
    # the published normaliser is one positive anchor a process at least: where there is none
    # anywhere, two processes divide by two what one divides by one
    share = 0.5 if split == 'no_boxes_at_all' else 1.0
    for name, wanted in single.items():
        torch.testing.assert_close(shared[split, head][name], share * wanted, rtol=1e-3,
                                   atol=1e-5, msg=name)


def preset(bert, num_layers=2, frozen=False, **settings):
    config = nano_config(bert, **settings)
    config['fusion_neck'].update(num_layers=num_layers)
    config['language_model'].update(frozen=frozen)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return MODELS.build(config)


def train(rank, bert, folder):
    unused = {}
    for name, settings in PRESETS.items():
        model = MMDistributedDataParallel(preset(bert, **settings), broadcast_buffers=False,
                                          find_unused_parameters=False)
        wrapper = OptimWrapper(torch.optim.SGD(
            [p for p in model.parameters() if p.requires_grad], lr=1e-3))
        wrapper.zero_grad = lambda: None  # keep what is looked at below
        # both processes, each in turn without boxes, then neither, have boxes
        for indices in ([0, 1], [2, 4]), ([4], [3]), ([2], [4]), ([1], [0]):
            data = dict(inputs=[image(i) for i in indices[rank]],
                        data_samples=[data_sample(*SAMPLES[i]) for i in indices[rank]])
            model.train_step(data, wrapper)
        # a parameter outside the graph would have stopped the second step already
        unused[name] = [n for n, p in model.module.named_parameters()
                        if p.requires_grad and p.grad is None]
    torch.save(unused, f'{folder}/unused_{rank}.pth')


def test_every_preset_trains_without_looking_for_unused_parameters(tiny_bert, tmp_path):
    in_two_processes(train, tiny_bert, str(tmp_path))
    for rank in range(2):
        assert torch.load(tmp_path / f'unused_{rank}.pth') == {name: [] for name in PRESETS}
