from benchmarks.studies.layers import orders
from layup_sklearn.encoders._layers import spread_order


def test_prefixes_are_spread():
    assert spread_order(12) == [12, 6, 9, 3, 11, 8, 5, 2, 10, 7, 4, 1]
    for n_layers in range(1, 30):
        order = spread_order(n_layers)
        assert sorted(order) == list(range(1, n_layers + 1))
        for k in range(1, n_layers + 1):
            gaps = [b - a for a, b in zip([0, *sorted(order[:k])], sorted(order[:k]))]
            assert max(gaps) <= 2 * min(gaps) + 1


def test_all_orders_begin_with_the_deepest_layer():
    for name, places in orders(12, 4):
        assert places[0] == 0 and len(set(places)) == 4 and max(places) < 12, name
