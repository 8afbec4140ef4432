# Every data set of the pre-trainings, once: where it lies (docs/data_preparation.md) and how a
# sample of its kind becomes a prompt. The files beside this one say which of them are mixed.
_base_ = './coco_zero-shot.py'

# counts the tokens of a prompt: the same as model.language_model.name
lang_model_name = 'bert-base-uncased'
train_meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
                   'flip_direction', 'prompt')

# --------------------------------------------------------------------------- pipelines
load = [
    dict(type='glip_mm.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='glip_mm.ClipBoxes'),
]
augment = [
    dict(
        type='RandomChoiceResize',
        resize_type='glip_mm.ShortSideResize',
        scales=[(s, 1333) for s in (480, 560, 640, 720, 800)]),
    # left becomes right in what is said, too; words='keep' is the published training
    dict(type='glip_mm.FlipWithWords', prob=0.5, words='swap'),
]
pack = [dict(type='PackDetInputs', meta_keys=train_meta_keys)]

# up to 85 absent classes a prompt; a box whose phrase is cut off is still regressed: as published
detection_prompt = dict(type='glip_mm.BuildPrompt', tokenizer=lang_model_name, num_negatives=85)
grounding_prompt = dict(type='glip_mm.BuildPrompt', tokenizer=lang_model_name, keep_cut=True)

train_pipeline = [*load, *augment, detection_prompt, *pack]
grounding_pipeline = [*load, *augment, grounding_prompt, *pack]
caption_pipeline = [
    # the teacher was sure of a box, and its caption stands among up to 20 of other images: as
    # published for GLIP-L
    dict(
        type='glip_mm.FilterPseudoBoxes',
        min_score=0.5,
        nms_iou=-1,
        min_boxes=1,
        count='entities'),
    dict(
        type='glip_mm.PackCaptions',
        tokenizer=lang_model_name,
        num_negatives=20,
        full_prob=0.5,
        none_prob=0.4),
    *load,
    *augment,
    grounding_prompt,
    *pack,
]

# --------------------------------------------------------------------------- detection
# an image without boxes teaches nothing here: the released trainer skips its whole batch
with_boxes = dict(filter_empty_gt=True)

o365 = dict(
    type='glip_mm.GroundingDataset',
    data_root='data/objects365v1/',
    ann_file='o365v1_train_odvg.json',
    label_map_file='o365v1_label_map.json',
    data_prefix=dict(img='train/'),
    filter_cfg=with_boxes,
    pipeline=train_pipeline)
openimages = dict(
    type='glip_mm.GroundingDataset',
    data_root='data/OpenImages/',
    ann_file='oidv6_train_odvg.jsonl',
    label_map_file='oidv6_label_map.json',
    data_prefix=dict(img='OpenImages/train/'),
    filter_cfg=with_boxes,
    pipeline=train_pipeline)
visual_genome = dict(
    type='glip_mm.GroundingDataset',
    data_root='data/visual_genome/',
    ann_file='vg_train_odvg.jsonl',
    label_map_file='vg_label_map.json',
    data_prefix=dict(img='images/'),
    filter_cfg=with_boxes,
    pipeline=train_pipeline)
imagenet_boxes = dict(
    type='glip_mm.GroundingDataset',
    data_root='data/imagenet/',
    ann_file='imagenet_boxes_odvg.jsonl',
    label_map_file='imagenet_label_map.json',
    data_prefix=dict(img='train/'),
    filter_cfg=with_boxes,
    pipeline=train_pipeline)

# --------------------------------------------------------------------------- grounding (GoldG)
flickr30k = dict(
    type='glip_mm.GroundingDataset',
    format='mdetr',
    data_root='data/flickr30k_entities/',
    ann_file='final_flickr_separateGT_train.json',
    data_prefix=dict(img='flickr30k_images/'),
    filter_cfg=with_boxes,
    pipeline=grounding_pipeline)
# GQA and Visual Genome captions, without the images of COCO: these stay unseen
mixed_no_coco = dict(
    type='glip_mm.GroundingDataset',
    format='mdetr',
    data_root='data/gqa/',
    ann_file='final_mixed_train_no_coco.json',
    data_prefix=dict(img='images/'),
    filter_cfg=with_boxes,
    pipeline=grounding_pipeline)

# --------------------------------------------------------------------------- image and text
# captions with pseudo boxes; the authors' own were never released
cc3m = dict(
    type='glip_mm.GroundingDataset',
    data_root='data/cc3m/',
    ann_file='cc3m_pseudo_boxes.jsonl',
    data_prefix=dict(img='images/'),
    filter_cfg=with_boxes,
    pipeline=caption_pipeline)
sbu = dict(
    type='glip_mm.GroundingDataset',
    data_root='data/sbu/',
    ann_file='sbu_pseudo_boxes.jsonl',
    data_prefix=dict(img='images/'),
    filter_cfg=with_boxes,
    pipeline=caption_pipeline)
cap24m = dict(
    type='glip_mm.GroundingDataset',
    format='tar',
    data_root='data/cap24m/',
    ann_file='{00000..02399}.tar',
    filter_cfg=with_boxes,
    pipeline=caption_pipeline)

# --------------------------------------------------------------------------- loader
# 64 images a step on 8 devices; with others keep the product or scale the learning rate
# (tools/train.py --auto-scale-lr)
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='glip_mm.StreamSampler'),
    # portrait and landscape images do not share a batch
    batch_sampler=dict(type='glip_mm.StreamBatchSampler'),
    dataset=dict(type='glip_mm.GroundingStream'))
