"""Tools of glip_mm's developers: experiments, parity, robustness and speed. Not in the wheel."""

import sys

from glip_mm_cli.ending import end_clearly

if sys.argv[0] == '-m':  # a program of this package begins
    end_clearly()
