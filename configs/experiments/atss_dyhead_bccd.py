# MMDetection's Dynamic Head on all blood cells: backbone, start and images of
# glip_nano_pictograms-bccd.py
_base_ = ['./glip_nano_pictograms-bccd.py', '../_base_/models/atss_dyhead.py']

backbone = {k: v for k, v in _base_.model.backbone.items() if k != '_delete_'}
model = dict(
    _base_.atss_dyhead,
    data_preprocessor=dict(
        type='DetDataPreprocessor', pad_size_divisor=32,
        **_base_.glip_pictograms.data_preprocessor),
    backbone=backbone,
    bbox_head=dict(_base_.atss_dyhead.bbox_head, num_classes=3))
