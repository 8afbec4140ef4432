# MMDetection's Dynamic Head with the levels of glip_pictograms.py, and no words. Take it with
# model = dict(_base_.atss_dyhead, data_preprocessor=..., backbone=..., bbox_head=...).
atss_dyhead = dict(
    _delete_=True,
    type='ATSS',
    neck=[
        dict(type='FPN', in_channels=[112, 320], out_channels=96, num_outs=2),
        dict(
            type='DyHead',
            in_channels=96,
            out_channels=96,
            num_blocks=2,
            zero_init_offset=False)
    ],
    bbox_head=dict(
        type='ATSSHead',
        in_channels=96,
        feat_channels=96,
        stacked_convs=0,
        pred_kernel_size=1,
        anchor_generator=dict(
            type='AnchorGenerator',
            ratios=[1.],
            octave_base_scale=3.5,
            scales_per_octave=1,
            strides=[16, 32],
            center_offset=.5),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[.1, .1, .2, .2]),
        loss_cls=dict(
            type='FocalLoss', use_sigmoid=True, gamma=2., alpha=.25, loss_weight=1.),
        loss_bbox=dict(type='glip_mm.GIoULoss', loss_weight=2.),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.)),
    train_cfg=dict(
        assigner=dict(type='ATSSAssigner', topk=9),
        allowed_border=-1,
        pos_weight=-1),
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=.05,
        nms=dict(iou_threshold=.6),
        max_per_img=100))
