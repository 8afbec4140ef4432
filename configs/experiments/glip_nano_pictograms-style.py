# The tests of the same model in the style of drawing that no training image has
_base_ = './glip_nano_pictograms.py'

test_dataloader = _base_.style_dataloader
test_evaluator = _base_.style_evaluator
