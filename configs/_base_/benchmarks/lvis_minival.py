# LVIS minival (4,809 images, 1,203 classes)
# As published: chunks of 40 classes in the order of their ids, 300 detections for each chunk and
# image, no NMS between chunks.
_base_ = '../datasets/zero_shot_pipelines.py'

benchmark = 'lvis_minival'
# LVIS annotates images of COCO
data_root = 'data/coco/'
ann_file = 'annotations/lvis_v1_minival_inserted_image_name.json'

test_dataloader = dict(
    dataset=dict(
        type='glip_mm.ZeroShotDataset',
        dataset_name=benchmark,
        data_root=data_root,
        ann_file=ann_file,
        data_prefix=dict(img=''),
        image_names='coco_url',
        serialize_data=True,
        test_mode=True,
        pipeline=_base_.test_pipeline))
# fixed: the 10,000 best of every class over the whole set; standard: the 300 best of every image
test_evaluator = [
    dict(type='glip_mm.LVISFixedAPMetric', ann_file=data_root + ann_file, fixed_ap=True),
    # its results are called lvis_standard
    dict(type='glip_mm.LVISFixedAPMetric', ann_file=data_root + ann_file, fixed_ap=False),
]

# model.test_cfg of this benchmark
protocol = dict(chunked_size=40, max_per_img=300, last_pixel=False)
