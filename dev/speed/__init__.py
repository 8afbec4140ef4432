"""Parts of the benchmark: two models with the same weights, their agreement, time and memory."""
