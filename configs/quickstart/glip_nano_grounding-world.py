# The whole of GLIP at a size that two CPU cores train in minutes, on detection and grounding data
_base_ = [
    '../_base_/models/glip_nano.py', '../_base_/datasets/grounding_world.py',
    '../_base_/schedules/nano.py', '../_base_/default_runtime.py'
]

randomness = dict(seed=0)
