"""A try for processes that import nothing else."""

import time


def slow_attempt(name):
    """Take as many seconds as the name says."""
    time.sleep(float(name))
    return None, float(name)
