# Ablation (C): detection and grounding data, with fusion. This is the quickstart itself.
_base_ = '../quickstart/glip_nano_grounding-world.py'
