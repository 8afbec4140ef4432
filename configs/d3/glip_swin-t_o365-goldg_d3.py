_base_ = [
    '../_base_/models/glip_swin-t.py', '../_base_/benchmarks/d3.py',
    '../_base_/test_runtime.py'
]

model_name = 'glip_swin-t_o365-goldg'
model = dict(test_cfg=_base_.protocol)
