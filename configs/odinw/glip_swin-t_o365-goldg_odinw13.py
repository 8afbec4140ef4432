_base_ = [
    '../_base_/models/glip_swin-t.py', '../_base_/benchmarks/odinw13.py',
    '../_base_/test_runtime.py'
]

model_name = 'glip_swin-t_o365-goldg'
