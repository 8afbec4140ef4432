# GLIP-L: Swin-L, eight fusion blocks, 27 million samples. Its image-text data were never released,
# nor was the whole of its recipe: what follows is what the authors' configuration says. That one
# averages no weights.
_base_ = [
    '../_base_/models/glip_swin-l.py', '../_base_/datasets/glip_l_mixed.py',
    '../_base_/schedules/glip_1m.py', '../_base_/default_runtime.py'
]

# 64 images a step on 64 devices
train_dataloader = dict(batch_size=1)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
