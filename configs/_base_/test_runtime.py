# A config that only tests: the runtime of all others without what watches a training.
_base_ = './default_runtime.py'

test_cfg = dict(type='glip_mm.ResumableTestLoop')
custom_hooks = []
