"""Is a module of dev now: see moved.py."""

from moved import run

run(__file__)
