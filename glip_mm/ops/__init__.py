"""Operators on tensors that know no model.

Fast forms of plain formulas, and in plain PyTorch what MMCV compiles.
"""
