"""Parity with reference cases of the official implementation, stage by stage."""
