"""Small-scale ablation."""
