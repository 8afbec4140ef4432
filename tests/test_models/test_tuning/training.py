"""A few steps of training of the nano model, and what they changed."""

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

import glip_mm.engine  # noqa: F401
from tests.test_models.nano import build_nano, data_sample, image, losses_of

TEXT = ('cat', 'dog', 'red house')
SAMPLES = [(TEXT, [[10, 10, 50, 50], [40, 20, 90, 60]], [0, 1]),
           (TEXT, [[5, 20, 60, 62]], [2])]
SWIN = dict(type='SwinTransformer', embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 4],
            window_size=4, out_indices=(1, 2, 3))
WITH_SWIN = dict(backbone=SWIN, in_channels=(48, 96, 192))


def built(bert, tuning, **settings):
    """A nano model in training mode as a runner leaves it."""
    model = build_nano(bert, tuning=tuning, **settings)
    model.init_weights()
    return model.train()


def optimizer_of(model, lr=1e-3, **settings):
    config = dict(type='OptimWrapper', constructor='GLIPOptimWrapperConstructor',
                  optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01),
                  paramwise_cfg=dict(language_lr_mult=1.0), **settings)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return build_optim_wrapper(model, config)


def loss_of(model):
    losses = losses_of(model, [image(0), image(1)], [data_sample(*s) for s in SAMPLES])
    return sum(losses.values())


def train(model, steps=2, lr=1e-3):
    """Train; returns the loss of each step."""
    wrapper, losses = optimizer_of(model, lr), []
    for _ in range(steps):
        loss = loss_of(model)
        wrapper.update_params(loss)
        losses.append(float(loss.detach()))
    return losses


def snapshot(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def changed(model, before):
    """Names of parameters and buffers that are no longer bit for bit what they were."""
    return {name for name, value in model.state_dict().items()
            if not torch.equal(value, before[name])}
