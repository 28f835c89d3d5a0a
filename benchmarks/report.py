"""A Markdown table of all results, and a picture for each stream."""

import numpy as np

from layup_sklearn.evaluation import AccuracyCurvesDisplay, average_accuracy, forgetting

from . import datasets, methods, runs
from .published import published, ranpac

UPPER_BOUND = "joint"


def write(folder):
    """Write report.md and STREAM.png into the folder of the results.

    Returns
    -------
    text : str
        The report.
    """
    results = runs.load(folder)
    if not results:
        raise SystemExit(f"{folder} holds no results: python -m benchmarks run")
    text = "\n\n".join(
        [
            "# Continual learners on the same features and splits",
            _environment(results),
            _table(results, "final", lambda curve: curve[-1]),
            _table(results, "average", np.mean),
            _forgetting(results),
            _seconds(results),
            *(
                _published(name)
                for name in sorted({_data_set(s) for s in results})
                if published(name)
            ),
        ]
    )
    (folder / "report.md").write_text(text + "\n")
    for stream, by_method in results.items():
        _draw(by_method, stream, folder / f"{stream}.png")
    return text


def _curves(result):
    """Accuracy on all tasks so far, in %, of every order: shape (n_orders, n_tasks)."""
    orders = result["orders"].values()
    return 100 * np.array([average_accuracy(order["accuracy_matrix"]) for order in orders])


def _columns(results):
    names = {method for by_method in results.values() for method in by_method}
    return [m for m in methods.names() if m in names and m != UPPER_BOUND] + (
        [UPPER_BOUND] if UPPER_BOUND in names else []
    )


def _environment(results):
    by_method = next(iter(results.values()))
    first = next(iter(by_method.values()))["environment"]
    versions = ", ".join(f"{name} {first[name]}" for name in runs.PACKAGES)
    orders = {len(r["orders"]) for by_method in results.values() for r in by_method.values()}
    lines = [
        f"{first['date']}; {first['cpu']}, GPU: {first['gpu']}; Python {first['python']}, "
        f"{versions}; {'; '.join(first['blas'])}.",
        "",
        f"Orders of the classes (or domains) from seed 1993 on: {', '.join(map(str, sorted(orders)))}."
        " Mean over them, +- its standard error.",
        "",
        *(f"- `{m}`: {methods.get(m).__doc__.splitlines()[0]}" for m in _columns(results)),
    ]
    return "\n".join(lines)


def _table(results, title, summarise):
    columns = _columns(results)
    lines = [
        f"## {title.capitalize()} accuracy, %",
        "",
        f"| stream | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
    ]
    means = []
    for stream, by_method in results.items():
        values = {m: [summarise(c) for c in _curves(r)] for m, r in by_method.items()}
        mean = {m: np.mean(v) for m, v in values.items()}
        peers = [value for m, value in mean.items() if m != UPPER_BOUND]
        cells = []
        for m in columns:
            if m not in mean:
                cells.append("-")
                continue
            error = np.std(values[m], ddof=1) / len(values[m]) ** 0.5 if len(values[m]) > 1 else 0
            cell = f"{mean[m]:.1f} ± {error:.1f}"
            best = m != UPPER_BOUND and mean[m] >= max(peers) - 1e-9
            cells.append(f"**{cell}**" if best else cell)
        means.append([mean.get(m, np.nan) for m in columns])
        lines.append(f"| {stream} | {' | '.join(cells)} |")
    cells = [f"{value:.1f}" for value in np.mean(means, axis=0)]
    lines.append(f"| mean | {' | '.join(cells)} |")
    return "\n".join(lines)


def _forgetting(results):
    columns = _columns(results)
    lines = [
        "## Forgetting, points",
        "",
        "Mean loss since a task's best accuracy. In class-incremental streams the sums themselves "
        "forget nothing and still lose: later classes are more to be confused with.",
        "",
        f"| stream | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for stream, by_method in results.items():
        values = {
            m: np.mean([100 * forgetting(o["accuracy_matrix"]) for o in r["orders"].values()])
            for m, r in by_method.items()
        }
        cells = [f"{values[m]:.1f}" if m in values else "-" for m in columns]
        lines.append(f"| {stream} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _seconds(results):
    columns = _columns(results)
    lines = [
        "## Seconds to learn the whole stream (features at hand), and columns",
        "",
        f"| stream | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for stream, by_method in results.items():
        cells = []
        for m in columns:
            if m not in by_method:
                cells.append("-")
                continue
            times = [
                sum(o["fit_time"]) + sum(o["score_time"]) for o in by_method[m]["orders"].values()
            ]
            cells.append(f"{np.median(times):.1f} ({by_method[m]['n_features']})")
        lines.append(f"| {stream} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _data_set(stream):
    names = [name for name in datasets.names() if stream.startswith(f"{name}_")]
    return max(names, key=len, default=stream)


def _published(name):
    lines = [
        f"## Published: {name}",
        "",
        f"Not ours: {ranpac.SOURCE}, {ranpac.NETWORKS[name]}; final accuracy, %.",
        "",
        "| method | accuracy |",
        "|---|---|",
        *(f"| {method} | {accuracy} |" for method, accuracy in published(name).items()),
    ]
    return "\n".join(lines)


def _draw(by_method, stream, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    order = [m for m in _columns({stream: by_method})]
    AccuracyCurvesDisplay({m: _curves(by_method[m]) for m in order}).plot(ax=ax)
    ax.set(title=stream, ylabel="accuracy on all tasks so far, %")
    ax.legend(bbox_to_anchor=(1.01, 1), loc="upper left", frameon=False)
    figure.savefig(path, dpi=100)
    plt.close(figure)
