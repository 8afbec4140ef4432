"""Every backbone and neck that MMDetection registers, under GLIP's fusion and head."""
