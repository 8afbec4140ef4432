# The nano model and three epochs of all drawn images: what the experiments, and the fine-tuning on
# real images, have in common. What is set for the quickstart alone is in configs/quickstart.
_base_ = [
    '../_base_/models/glip_nano.py', '../_base_/datasets/grounding_world.py',
    '../_base_/schedules/nano.py', '../_base_/default_runtime.py'
]

randomness = dict(seed=0)
