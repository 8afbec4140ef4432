"""Sharded over two processes a model learns what it learns in one, and resumes."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from torch.distributed.fsdp import FullyShardedDataParallel

import glip_mm.engine  # noqa: F401
import glip_mm.engine.strategies.fsdp as fsdp
from glip_mm.registry import DATASETS
from tests.test_models.nano import (
    build_nano,
    data_sample,
    image,
    nano_config,
    predict,
    write_tiny_bert,
)
from tests.two_processes import in_two_processes

CONFIGS = Path(__file__).parents[2] / 'configs'
SWIN = dict(type='SwinTransformer', embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 4],
            window_size=4, out_indices=(1, 2, 3), drop_path_rate=0., drop_rate=0.)
SAMPLES = [(('cat', 'dog'), [[10, 10, 50, 50], [40, 20, 90, 60]], [0, 1]),
           (('a bird', 'tree', 'car'), [], []), (('cat',), [[5, 20, 60, 62]], [0]),
           (('car', 'dog', 'red house'), [[20, 8, 70, 50]], [2])]


@DATASETS.register_module(force=True)
class FourImages(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self):
        return len(SAMPLES)

    def __getitem__(self, index):
        return dict(inputs=image(index), data_samples=data_sample(*SAMPLES[index]))


def run(folder, strategy, batch_size, epochs=2, **settings):
    config = Config.fromfile(CONFIGS / '_base_/strategies/fsdp.py')
    model = nano_config(str(folder / 'bert'), backbone=SWIN, in_channels=(48, 96, 192))
    model['fusion_neck'].update(dropout=0.)
    config.merge_from_dict(dict(
        default_scope='glip_mm', model=model, work_dir=str(folder / strategy),
        train_dataloader=dict(
            batch_size=batch_size, num_workers=0, dataset=dict(type='FourImages'),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate')),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(
            constructor='GLIPOptimWrapperConstructor', clip_grad=dict(max_norm=0.5),
            optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=0.01)),
        launcher='pytorch' if strategy == 'fsdp' else 'none', env_cfg=dict(),
        load_from=str(folder / 'start.pth'), randomness=dict(seed=0),
        experiment_name=f'{strategy}{epochs}{settings.get("resume")}', **settings))
    if strategy == 'single':
        config.strategy = dict(type='SingleDeviceStrategy')
    if settings.get('resume'):
        config.load_from = None
    runner = RUNNERS.build(config)
    runner.train()
    return runner


def work(rank, folder):
    run(folder, 'fsdp', 1, epochs=1)
    runner = run(folder, 'fsdp', 1, epochs=2, resume=True)
    held = sum(p.numel() for p in runner.model.parameters())
    (folder / f'held_{rank}').write_text(str(held))
    runner.model.eval()
    with torch.no_grad():
        found = runner.model.test_step(dict(inputs=[image(0)],
                                            data_samples=[data_sample(('cat', 'dog'))]))
    torch.save(found[0].pred_instances.scores, folder / f'scores_{rank}')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('fsdp')
    bert = Path(write_tiny_bert(folder / 'bert')) / 'config.json'
    bert.write_text(json.dumps(dict(json.loads(bert.read_text()), hidden_dropout_prob=0.,
                                    attention_probs_dropout_prob=0.)))
    model = build_nano(str(folder / 'bert'), backbone=SWIN, in_channels=(48, 96, 192))
    torch.save(dict(state_dict=model.state_dict()), folder / 'start.pth')
    in_two_processes(work, folder)
    return folder


def test_two_shards_resumed_equal_one_process(folder):
    run(folder, 'single', 2)
    sharded, single = (torch.load(folder / name / 'epoch_2.pth', weights_only=False)['state_dict']
                       for name in ('fsdp', 'single'))
    start = torch.load(folder / 'start.pth')['state_dict']
    assert sharded.keys() == single.keys()
    moved = 0
    for name, wanted in single.items():
        torch.testing.assert_close(sharded[name].reshape(wanted.shape), wanted, rtol=1e-3,
                                   atol=2e-5, msg=name)
        moved += int((wanted != start[name]).any())
    assert moved > 0.9 * len(single)


def test_each_process_holds_half(folder):
    whole = sum(v.numel() for k, v in torch.load(folder / 'start.pth')['state_dict'].items()
                if 'relative_position_index' not in k)
    for rank in range(2):
        assert int((folder / f'held_{rank}').read_text()) == pytest.approx(whole / 2, rel=0.02)


def test_shards_predict_as_the_unsharded_model(folder):
    saved = torch.load(folder / 'fsdp' / 'epoch_2.pth', weights_only=False)['state_dict']
    model = build_nano(str(folder / 'bert'), backbone=SWIN, in_channels=(48, 96, 192))
    model.load_state_dict(saved)
    wanted = predict(model, [image(0)], [data_sample(('cat', 'dog'))])[0].pred_instances.scores
    for rank in range(2):
        torch.testing.assert_close(torch.load(folder / f'scores_{rank}'), wanted)


def test_what_is_saved_loads_into_an_unsharded_model(folder):
    saved = torch.load(folder / 'fsdp' / 'epoch_2.pth', weights_only=False)
    model = build_nano(str(folder / 'bert'), seed=1, backbone=SWIN, in_channels=(48, 96, 192))
    model.load_state_dict(saved['state_dict'])
    name = 'bbox_head.scales.0.scale'
    assert model.state_dict()[name] == saved['state_dict'][name][0]


def captions_of_their_own(rank, folder, names):
    model = build_nano(str(folder / 'bert'), backbone=SWIN, in_channels=(48, 96, 192))
    model.language_model.frozen = True
    model.language_model.encoder.requires_grad_(False)
    fsdp.prepare_for_shards(model)
    sharded = FullyShardedDataParallel(
        model, auto_wrap_policy=partial(fsdp.wrap_blocks, names=names), use_orig_params=True,
        device_id=torch.device('cpu'))
    for step in range(2):
        chosen = SAMPLES[:1] if rank == 0 else SAMPLES[step:step + 2]
        data = model.data_preprocessor(dict(
            inputs=[image(i) for i in range(len(chosen))],
            data_samples=[data_sample(*sample) for sample in chosen]), True)
        sum(sharded(**data, mode='loss').values()).backward()


def test_processes_encode_different_numbers_of_captions(tmp_path):
    """A frozen language model remembers captions: a unit inside it would be gathered by one."""
    write_tiny_bert(tmp_path / 'bert')
    config = Config.fromfile(CONFIGS / '_base_/strategies/fsdp.py')
    names = config.strategy.model_wrapper.auto_wrap_policy.names
    in_two_processes(captions_of_their_own, tmp_path, names)


def chunks_of_their_own(rank, folder, names):
    model = build_nano(str(folder / 'bert'), backbone=SWIN, in_channels=(48, 96, 192)).eval()
    model.test_cfg = dict(chunked_size=1, score_thr=0.)
    sample = data_sample(('cat', ) if rank == 0 else ('cat', 'dog', 'red house'))
    wanted = predict(model, [image(rank)], [sample])[0].pred_instances.scores
    fsdp.prepare_for_shards(model)
    sharded = FullyShardedDataParallel(
        model, auto_wrap_policy=partial(fsdp.wrap_blocks, names=names), use_orig_params=True,
        device_id=torch.device('cpu'))
    data = model.data_preprocessor(dict(inputs=[image(rank)], data_samples=[sample]), False)
    with torch.no_grad():
        found = sharded(**data, mode='predict')[0].pred_instances.scores
    assert len(found) and found.equal(wanted)


def test_processes_predict_different_numbers_of_chunks(tmp_path):
    write_tiny_bert(tmp_path / 'bert')
    config = Config.fromfile(CONFIGS / '_base_/strategies/fsdp.py')
    in_two_processes(chunks_of_their_own, tmp_path,
                     config.strategy.model_wrapper.auto_wrap_policy.names)


@pytest.mark.parametrize('strategy, groups', [
    ('FULL_SHARD', ['all']), ('HYBRID_SHARD', ['all']), ('NO_SHARD', [])])
def test_the_norm_adds_up_each_shard_once(monkeypatch, strategy, groups):
    called = []
    monkeypatch.setattr(fsdp, 'all_reduce', lambda total, group: (
        called.append(group), total.mul_(4)))
    model = SimpleNamespace(sharding_strategy=SimpleNamespace(name=strategy), process_group='all')
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3.0, 4.0])
    norm = fsdp.clip_sharded_grad_norm_([parameter], 1.0, model=model)
    assert called == groups and norm.item() == (10 if groups else 5)
    torch.testing.assert_close(parameter.grad, torch.tensor([3.0, 4.0]) / norm)
