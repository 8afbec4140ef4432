# Test-time augmentation of tools/test.py --tta: twelve sizes, each with its mirror image, and the
# sizes of objects that each is trusted for, as published for GLIP-L on COCO.
tta_meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale', 'scale_factor', 'flip',
                 'flip_direction', 'text', 'custom_entities', 'tokens_positive', 'caption_prompt',
                 'prompt', 'dataset_name', 'phrases', 'phrase_types', 'sentence_id')
tta_ranges = {
    400: (96, 10000), 500: (96, 10000), 600: (64, 10000), 640: (64, 10000), 700: (64, 10000),
    900: (0, 10000), 1000: (0, 10000), 1100: (0, 256), 1200: (0, 256), 1300: (0, 192),
    1400: (0, 192), 1800: (0, 96)}

tta_model = dict(
    type='glip_mm.GLIPTTAModel',
    tta_cfg=dict(
        # keys of a config are strings
        ranges={str(side): limits for side, limits in tta_ranges.items()},
        iou_threshold=0.6,
        max_per_img=1000))
tta_pipeline = [
    dict(type='glip_mm.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='glip_mm.ShortSideResize', scale=(side, 2500)) for side in tta_ranges],
            [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)],
            [dict(type='PackDetInputs', meta_keys=tta_meta_keys)],
        ])
]
del tta_ranges
