# The student: gold data, and captions without boxes as the teacher labelled them
_base_ = './glip_nano_pictograms.py'

pseudo = dict(
    type='glip_mm.GroundingDataset',
    data_root=_base_.data_root,
    # python -m dev.experiments.pictograms says where the labels are
    ann_file='{{$LABELS:labels}}/labels/*.jsonl',
    data_prefix=_base_.image_prefix,
    pipeline=[
        dict(type='glip_mm.FilterPseudoBoxes', min_score=0.3, complete=True),
        *_base_.grounding_pipeline,
    ])
train_dataloader = dict(
    dataset=dict(
        datasets=[_base_.gold_detection, _base_.gold_captions, pseudo],
        samples_per_epoch=6000,
        ratios=[2, 1, 6]))

load_from = '{{$TEACHER_WEIGHTS:work_dirs/glip_nano_pictograms/epoch_2.pth}}'
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=max_epochs, T_max=max_epochs)]
