# From the model of detection data on: as many images with captions as with boxes
_base_ = './glip_nano_pictograms.py'

train_dataloader = dict(dataset=dict(ratios=[1, 1]))
load_from = '{{$TEACHER_WEIGHTS:work_dirs/glip_nano_pictograms/epoch_2.pth}}'
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [_base_.warm_up, dict(_base_.cosine, end=max_epochs, T_max=max_epochs)]
