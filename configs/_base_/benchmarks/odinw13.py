# ODinW-13 by plain class names
# What the authors' odinw_13 configurations say.
_base_ = './odinw13_prompts.py'

benchmark = 'odinw13'
test_dataloader = dict(
    dataset=dict(datasets=[
        dict(d, caption_prompt=None, metainfo=dict(classes=_base_.in_13[d.dataset_name]))
        for d in _base_.datasets
    ]))
test_evaluator = dict(
    num_classes={name: len(_base_.in_13[name]) for name in _base_.names})
