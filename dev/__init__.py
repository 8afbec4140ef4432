"""Tools of glip_mm's developers: experiments, parity and speed. Not in the wheel."""
