"""Error of data that a user has to correct."""


class DataError(ValueError):
    """Data that cannot be used as they are. Tools print only the message, so it must say all."""
