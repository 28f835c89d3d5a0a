"""Which layers of a network, and in which order."""


def spread_order(n_layers):
    """All layers, 1 to n_layers, so that those of every prefix are spread over the depth.

    Parameters
    ----------
    n_layers : int

    Returns
    -------
    order : list of int
        The deepest first; then always the middle of the widest gap, the deepest of equal ones.

    Examples
    --------
    >>> from layup_sklearn.encoders._layers import spread_order
    >>> spread_order(12)
    [12, 6, 9, 3, 11, 8, 5, 2, 10, 7, 4, 1]
    """
    order, gaps = [n_layers], [(0, n_layers)]
    while len(order) < n_layers:
        low, high = max(gaps, key=lambda gap: (gap[1] - gap[0], gap[1]))
        middle = (low + high + 1) // 2
        gaps.remove((low, high))
        gaps += [(low, middle), (middle, high)]
        order.append(middle)
    return order
