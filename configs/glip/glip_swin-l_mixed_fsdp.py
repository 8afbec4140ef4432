# GLIP-L, sharded over all processes
_base_ = ['./glip_swin-l_mixed.py', '../_base_/strategies/fsdp.py']

optim_wrapper = dict(use_fsdp=True)
