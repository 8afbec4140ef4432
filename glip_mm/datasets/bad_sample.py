"""The error of a single sample that cannot be used."""


class BadSample(ValueError):
    """One sample of a data set is unusable; the data set decides whether to replace it or to stop.

    Args:
        cause: Short and the same for all such faults, for example ``'broken image'``: it is
            counted.
        where: File and line, or whatever finds the sample again.
        remedy: What was found and what to do.
    """

    def __init__(self, cause: str, where: str = '', remedy: str = '') -> None:
        super().__init__(cause, where, remedy)
        self.cause, self.where, self.remedy = cause, where, remedy

    def __str__(self) -> str:
        return ': '.join(part for part in (self.where, self.cause, self.remedy) if part)
