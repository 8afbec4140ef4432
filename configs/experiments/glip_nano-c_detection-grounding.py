# Ablation (C): detection and grounding data, with fusion.
_base_ = './glip_nano_grounding-world.py'
