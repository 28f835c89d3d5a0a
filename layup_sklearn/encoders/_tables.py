"""Columns of tables."""


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
