"""The ablation in small."""
