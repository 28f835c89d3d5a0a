"""Which layers at equal columns: the last k, or k spread over the depth?

    python -m benchmarks.studies.layers [--root benchmark_data] [STREAM ...]

Final accuracy in % of one fit on all classes with the package's defaults (the order of the tasks
does not matter), pooled and standardised as the encoder does by itself; of networks of twelve
layers. "spread" is `layers="spread"` of encoders, "even" every second or third layer, which is no prefix of
one order.
"""

import argparse
from pathlib import Path

import numpy as np

from layup_sklearn import LayUPClassifier
from layup_sklearn.encoders._layers import spread_order

from ..streams import load

STREAMS = [
    f"{name}_dinov2"
    for name in ("cub100", "cifar100_small", "mixed5", "pacs", "digits", "emoji", "fashion")
]
NUMBERS = (2, 3, 4, 6, 8)


def orders(n_layers, k):
    """Places of layers, deepest first, counted from the deepest."""
    yield "last", list(range(k))
    yield "spread", [n_layers - layer for layer in spread_order(n_layers)[:k]]
    if n_layers % k == 0:
        yield "even", list(range(0, n_layers, n_layers // k))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("streams", nargs="*", metavar="STREAM", default=STREAMS)
    parser.add_argument("--root", type=Path, default=Path("benchmark_data"))
    options = parser.parse_args()
    print("| stream | order | " + " | ".join(map(str, NUMBERS)) + " |")
    print("|---" * (len(NUMBERS) + 2) + "|")
    gains = []
    for name in options.streams:
        stream = load(name, options.root)
        X, X_test, sizes = stream.features(**stream.resolve({"pool": "auto", "layer_norm": "auto"}))
        blocks = np.split(np.arange(X.shape[1]), np.cumsum(sizes)[:-1])
        y, y_test = stream.dataset.y_train, stream.dataset.y_test
        cells = {}
        for k in NUMBERS:
            for order, places in orders(len(sizes), k):
                columns = np.concatenate([blocks[place] for place in places])
                accuracy = LayUPClassifier().fit(X[:, columns], y).score(X_test[:, columns], y_test)
                cells.setdefault(order, {})[k] = 100 * accuracy
        for order, row in cells.items():
            numbers = [f"{row[k]:.1f}" if k in row else "-" for k in NUMBERS]
            print(f"| {name} | {order} | {' | '.join(numbers)} |", flush=True)
        gains.append([cells["spread"][k] - cells["last"][k] for k in NUMBERS])
    mean = [f"{gain:+.2f}" for gain in np.mean(gains, axis=0)]
    print(f"| mean | spread - last | {' | '.join(mean)} |")


if __name__ == "__main__":
    main()
