"""Which sample is wrong, and why."""


class SampleError(ValueError):
    """A sample that cannot be used.

    Parameters
    ----------
    position : int
        Where in X it stands.
    reason : str
    """

    def __init__(self, position, reason):
        super().__init__(position, reason)
        self.position = position
        self.reason = reason

    def __str__(self):
        return f"X[{self.position}]: {self.reason}"


def one_column(table, kind):
    """Values of a pandas Series or one-column DataFrame.

    Parameters
    ----------
    table : Series or DataFrame
    kind : str
        What it holds, for the error.

    Returns
    -------
    values : list
    """
    if table.ndim == 2 and table.shape[1] != 1:
        raise ValueError(
            f"A DataFrame of {kind} must have one column, got {table.shape[1]}: "
            f"{list(table.columns)}."
        )
    return (table if table.ndim == 1 else table.iloc[:, 0]).tolist()
