# The student: gold data and the pool as the teacher labelled it (GLIP, section 3.3)
_base_ = './glip_nano_teacher.py'

min_score = 0.3
pseudo = dict(
    type='glip_mm.GroundingDataset',
    data_root=_base_.data_root,
    # tools/self_train.sh says where the labels of its round are
    ann_file='{{$LABELS:labels}}/labels/*.jsonl',
    data_prefix=_base_.image_prefix,
    pipeline=[
        dict(type='glip_mm.FilterPseudoBoxes', min_score=min_score, complete=True),
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
    dataset=dict(
        datasets=[_base_.gold_detection, _base_.gold_grounding, pseudo], copies=[2, 2, 1]))

# from the teacher, whose weights tools/self_train.sh names
load_from = '{{$TEACHER_WEIGHTS:work_dirs/glip_nano_teacher/epoch_6.pth}}'
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=max_epochs, T_max=max_epochs)]
