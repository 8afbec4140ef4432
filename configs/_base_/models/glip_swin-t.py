# GLIP-T: Swin-T, FPN, BERT-base and six fusion blocks (GLIP, section 4 and table 1).
model = dict(
    type='glip_mm.GLIP',
    # True: gradient checkpointing of backbone, language model and fusion; None: as each says below
    with_cp=None,
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        # BGR, with the published rounding
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False,
        pad_size_divisor=32),
    backbone=dict(
        type='SwinTransformer',
        embed_dims=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=7,
        drop_path_rate=0.2,
        out_indices=(1, 2, 3),
        # a third of the activations for a twentieth of a training step
        with_cp=True,
        convert_weights=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
            'swin_tiny_patch4_window7_224.pth')),
    neck=dict(
        type='glip_mm.FPNDropBlock',
        in_channels=[192, 384, 768],
        # channels and number of levels of all that follows
        out_channels=256,
        start_level=0,
        add_extra_convs='on_output',
        relu_before_extra_convs=True,
        num_outs=5,
        # training only: 3x3 squares of the two finest levels
        drop_prob=0.3,
        drop_size=3,
        # kaiming_uniform(a=1), as published
        init_cfg=dict(type='Caffe2Xavier', layer='Conv2d')),
    # a folder or hub name sets tokenizer, encoder and the text layers of the fusion
    language_model=dict(type='glip_mm.BertLanguageModel', name='bert-base-uncased', max_tokens=256),
    fusion_neck=dict(
        type='glip_mm.VLFusionNeck',
        num_layers=6,
        embed_dim=2048,
        num_heads=8,
        with_cp=True),
    bbox_head=dict(
        type='glip_mm.ATSSGroundingHead',
        anchor_generator=dict(
            type='AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=8,
            scales_per_octave=1,
            strides=[8, 16, 32, 64, 128],
            center_offset=0.5),
        assigner=dict(
            type='ATSSAssigner', topk=9, iou_calculator=dict(type='BboxOverlaps2D_GLIP')),
        loss_region_word=dict(type='glip_mm.RegionWordLoss', alpha=0.25, gamma=2.0),
        loss_bbox=dict(type='glip_mm.GIoULoss', loss_weight=2.0),
        loss_centerness=dict(type='glip_mm.CenternessLoss', loss_weight=1.0)),
    test_cfg=dict(
        score_thr=0.05,
        nms_pre=1000,
        iou_threshold=0.6,
        max_per_img=100,
        score_agg='MEAN',
        chunked_size=-1))
