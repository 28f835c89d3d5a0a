"""Accuracies that other methods' own papers report: to stand beside ours, never among them."""

from . import ranpac


def published(dataset):
    """Final accuracies in %.

    Parameters
    ----------
    dataset : str
        Name of a data set of the benchmarks.

    Returns
    -------
    accuracy : dict of str to float
        By method; empty where none was published. Source and network stand in
        ``ranpac.SOURCE`` and ``ranpac.NETWORKS[dataset]``.

    Examples
    --------
    >>> published("cub")["RanPAC"]
    90.3
    """
    if dataset not in ranpac.NETWORKS:
        return {}
    column = list(ranpac.NETWORKS).index(dataset)
    rows = {method: row[column] for method, row in ranpac.ACCURACY.items()}
    return {method: accuracy for method, accuracy in rows.items() if accuracy is not None}
