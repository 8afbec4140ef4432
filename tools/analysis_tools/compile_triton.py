"""Moved to a module of dev, see moved.py."""

from moved import run

run(__file__)
