"""Attacks, kills and long runs: what no bug report should have to find."""
