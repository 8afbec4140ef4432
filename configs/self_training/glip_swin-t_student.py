# GLIP-T as the student of GLIP-T (C), configs/glip/glip_swin-t_o365-goldg.py: the captions of CC3M
# and SBU as that labelled them. From ImageNet and BERT, as published; load_from for the teacher's
# weights
_base_ = '../glip/glip_swin-t_o365-goldg.py'

pseudo = dict(
    type='glip_mm.GroundingDataset',
    format='tar',
    data_root='data/cc3m_sbu/',
    # tools/self_train.sh says where the labels of its round are
    ann_file='{{$LABELS:labels}}/labels/*.tar',
    pipeline=_base_.caption_pipeline)
train_dataloader = dict(
    dataset=dict(datasets=[_base_.o365, _base_.flickr30k, _base_.mixed_no_coco, pseudo]))
