"""The error of data that a user has to correct."""


class DataError(ValueError):
    """Data cannot be used as they are. The text is all that a user needs: tools end with it."""
