"""Which layers, pooled and scaled how? Final accuracy of one fit on all classes.

    python -m benchmarks.defaults [--root benchmark_data] [STREAM ...]

The ridge is chosen by evidence, so that the order of the tasks does not matter: incremental
and joint fit are the same. In brackets what ``n_layers="auto"`` picks and reaches.
"""

from layup_sklearn import Layers, LayUPClassifier

from .streams import each_stream

NUMBERS = (1, 2, 4, 6, 8, 12)
KINDS = [(pool, norm) for pool in ("token", "avg", "avg+std") for norm in (False, True)]


def main():
    print("| stream | pooling, layer norm | " + " | ".join(map(str, NUMBERS)) + " | auto |")
    print("|---" * (len(NUMBERS) + 3) + "|")
    for stream in each_stream(__doc__)():
        y_train, y_test = stream.dataset.y_train, stream.dataset.y_test
        for pool, layer_norm in KINDS:
            if pool not in stream.layers:
                continue
            X, X_test, sizes = stream.features(None, pool, layer_norm)
            model = LayUPClassifier(Layers(sizes)).fit(X, y_train)
            cells = []
            for n_layers in NUMBERS:
                if n_layers <= len(sizes):
                    accuracy = model.set_params(n_layers=n_layers).score(X_test, y_test)
                    cells.append(f"{100 * accuracy:.1f}")
                else:
                    cells.append("-")
            accuracy = model.set_params(n_layers="auto").score(X_test, y_test)
            cells.append(f"{100 * accuracy:.1f} ({model.n_layers_})")
            kind = f"{pool}, {'layer norm' if layer_norm else 'raw'}"
            print(f"| {stream.name} | {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
