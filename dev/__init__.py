"""What developers of glip_mm run: experiments, parity and speed. Not in the wheel."""
