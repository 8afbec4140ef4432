# The whole of GLIP at a size that two CPU cores train in minutes, on detection and grounding data
_base_ = '../experiments/glip_nano_grounding-world.py'

# on two cores a process that loads images takes its time from those that compute
train_dataloader = dict(num_workers=0, persistent_workers=False)
