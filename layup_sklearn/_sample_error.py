"""Which sample is wrong, and why."""


class SampleError(ValueError):
    """A sample that cannot be used.

    Parameters
    ----------
    position : int
        Where in X it stands.
    reason : str
        What is wrong with it.
    """

    def __init__(self, position, reason):
        super().__init__(position, reason)
        self.position = position
        self.reason = reason

    def __str__(self):
        return f"X[{self.position}]: {self.reason}"

    def at(self, position):
        """The same error for a sample that stands elsewhere.

        Parameters
        ----------
        position : int
            Where the sample stands in what the caller was given.

        Returns
        -------
        error : SampleError
            A new error with the same reason.
        """
        return type(self)(position, self.reason)
