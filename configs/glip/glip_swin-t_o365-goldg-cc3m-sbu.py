# GLIP-T: the model of (C), with image-text data. The authors' pseudo boxes for CC3M and SBU were
# never released; docs/data_preparation.md says how to make them.
_base_ = [
    '../_base_/models/glip_swin-t.py', '../_base_/datasets/o365_goldg_cc3m_sbu.py',
    '../_base_/schedules/glip_30e.py', '../_base_/pretrain_runtime.py'
]
