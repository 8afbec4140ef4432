# GLIP-T (C) on one data set of ODinW, every second image one of the pre-training: keeps what the
# model knew. ODINW_SET=NAME, otherwise Aquarium.
_base_ = './glip_swin-t_o365-goldg_odinw.py'

# MMEngine takes a config that begins with an import for one of its new style
from glip_mm.finetuning.replay import read_replay  # noqa: E402

replay = read_replay('{{ fileDirname }}/../glip/glip_swin-t_o365-goldg.py', share=0.5)
# an epoch, after which val is evaluated, reads 500 images of the set
train_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='glip_mm.StreamSampler'),
    batch_sampler=dict(type='glip_mm.StreamBatchSampler'),
    dataset=replay.mix(_base_.train_dataloader.dataset, images=500))
train_cfg = dict(type='glip_mm.ResumableEpochLoop')
del replay
