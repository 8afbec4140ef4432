"""Benchmark of two models with the same weights: agreement, time and memory."""
