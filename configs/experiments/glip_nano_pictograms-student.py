# The student: gold data, and captions without boxes as the teacher labelled them
_base_ = './glip_nano_pictograms-captions.py'

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
        datasets=[_base_.gold_detection, _base_.gold_captions, pseudo], ratios=[2, 1, 6]))
load_from = '{{$TEACHER_WEIGHTS:work_dirs/glip_nano_pictograms-captions/epoch_1.pth}}'
