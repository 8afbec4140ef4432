# ODinW-13 with the class names and prompts of ODinW-35
# What comes near the published averages.
_base_ = './odinw35.py'

benchmark = 'odinw13_prompts'
datasets = [d for d in _base_.test_dataloader.dataset.datasets if d.dataset_name in _base_.in_13]
names = [d.dataset_name for d in datasets]
test_dataloader = dict(dataset=dict(datasets=datasets))
test_evaluator = dict(
    _delete_=True,
    type='glip_mm.ODinWMetric',
    datasets={name: _base_.test_evaluator.datasets[name] for name in names},
    num_classes={name: _base_.test_evaluator.num_classes[name] for name in names})
