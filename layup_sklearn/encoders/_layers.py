"""Which layers of a network, and in which order."""

ORDERS = {"last", "spread"}


def layer_order(name, n_layers):
    """Numbers of all layers, 1 to n_layers, in the order of the columns.

    Parameters
    ----------
    name : {"last", "spread"}
    n_layers : int
    """
    return spread_order(n_layers) if name == "spread" else list(range(n_layers, 0, -1))


def spread_order(n_layers):
    """All layers, 1 to n_layers, so that those of every prefix are spread over the depth.

    The deepest first; then always the middle of the widest gap, the deepest of equal ones.
    """
    order, gaps = [n_layers], [(0, n_layers)]
    while len(order) < n_layers:
        low, high = max(gaps, key=lambda gap: (gap[1] - gap[0], gap[1]))
        middle = (low + high + 1) // 2
        gaps.remove((low, high))
        gaps += [(low, middle), (middle, high)]
        order.append(middle)
    return order
