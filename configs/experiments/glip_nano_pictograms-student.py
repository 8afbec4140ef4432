# The student: gold data, and captions without boxes as the teacher labelled them
_base_ = './glip_nano_pictograms.py'

pseudo = dict(
    type='glip_mm.GroundingDataset',
    data_root=_base_.data_root,
    # python -m dev.ablation.captions says where the labels are
    ann_file='{{$LABELS:labels}}/labels/*.jsonl',
    data_prefix=_base_.image_prefix,
    pipeline=[
        dict(type='glip_mm.FilterPseudoBoxes', min_score=0.3, complete=True),
        # words of other captions beside the image's own: not everything that is said is there
        dict(
            type='glip_mm.PackCaptions',
            tokenizer=_base_.tokenizer,
            num_negatives=8,
            full_prob=0.5,
            none_prob=0.2),
        *_base_.grounding_pipeline,
    ])
train_dataloader = dict(
    dataset=dict(datasets=[_base_.gold_detection, _base_.gold_captions, pseudo], copies=[1, 1, 1]))

load_from = '{{$TEACHER_WEIGHTS:work_dirs/glip_nano_pictograms/epoch_3.pth}}'
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=max_epochs, T_max=max_epochs)]
