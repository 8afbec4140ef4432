# Ablation (A) with a text for each class, "scarlet disk: a circle that is red": one that training
# never shows is known by its definition. Captions are no classes and are not tested.
_base_ = './glip_nano-a_detection.py'

model = dict(
    class_texts=dict(
        knowledge='{{fileDirname}}/grounding_world_definitions.yaml',
        aggregate='mean',
        strict=True))

views = list(_base_.views)
val_dataloader = dict(dataset=dict(datasets=_base_.val_dataloader.dataset.datasets[:len(views)]))
test_dataloader = dict(dataset=dict(datasets=_base_.test_dataloader.dataset.datasets[:len(views)]))
val_evaluator = dict(dataset_prefixes=views, metrics=_base_.val_evaluator.metrics[:len(views)])
test_evaluator = dict(dataset_prefixes=views, metrics=_base_.test_evaluator.metrics[:len(views)])
