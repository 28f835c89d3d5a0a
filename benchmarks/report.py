"""A Markdown table of all results, and a picture for each stream."""

import numpy as np

from layup_sklearn.evaluation import AccuracyCurvesDisplay, average_accuracy, forgetting

from . import datasets, methods, runs
from .published import published, ranpac

DEFAULT, UPPER_BOUND = "layup", "joint"


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
            *_tables(results),
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


def _tables(results):
    """One for each thing that was measured."""

    def final(result):
        return _curves(result)[:, -1]

    def average(result):
        return _curves(result).mean(axis=1)

    marks = f"Bold: best but for `{UPPER_BOUND}`. †: better than `{DEFAULT}` by more than one "
    marks += "standard error of the difference, order by order."
    yield _table(results, "Final accuracy, %", marks, final, best=max)
    yield _table(results, "Average accuracy, %", marks, average, best=max)
    yield _table(
        results,
        "Forgetting, points",
        "Mean loss since a task's best accuracy. In class-incremental streams the sums themselves "
        "forget nothing and still lose: later classes are more to be confused with.",
        _forgetting,
        mean=False,
    )
    yield _table(
        results,
        "Incremental against joint, points",
        "With a fixed ridge: accuracy on all test samples of one fit on all training samples, less "
        "that after the last task.",
        lambda result: [100 * gap for gap in _orders("joint_gap")(result)],
        mean=False,
    )
    yield _table(
        results,
        "Log loss of the probabilities",
        "Of `predict_proba` after the last task, where a method has one.",
        _orders("log_loss"),
        form="{:.2f}",
        best=min,
    )
    yield _table(
        results,
        "Calibration error of the probabilities, %",
        "Expected calibration error of the predicted label, 15 bins of equal width.",
        _orders("calibration_error"),
        best=min,
    )
    yield _table(
        results,
        "Novelty, %",
        "Area under the ROC curve of `score_samples`: test samples of classes seen against those of "
        "classes to come, mean over all tasks but the last; class-incremental streams.",
        lambda result: [100 * area for area in _orders("novelty")(result)],
        best=max,
    )
    yield _table(
        results,
        "Seconds to learn the whole stream, and to predict after every task",
        "With features at hand; adapted networks (`layup_adaptformer`, `layup_lora`, `layup_ssf`, "
        "`layup_vpt`) are trained and make theirs.",
        _seconds,
        mean=False,
    )
    yield _table(
        results, "Columns", "Features that a method sees.", lambda r: [r["n_features"]],
        form="{:.0f}", mean=False,
    )  # fmt: skip


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


def _table(results, title, note, values, form="{:.1f}", best=None, mean=True):
    """Markdown table of streams by methods.

    Parameters
    ----------
    results : dict of str to dict of str to result
    title, note : str
    values : callable
        Of a result: one number for each order; empty where there is none.
    form : str
        Of a cell's mean.
    best : {max, min}, default=None
        Marks the best method of a stream, and those that beat the default.
    mean : bool, default=True
        Whether to add rows with the means over streams.
    """
    found = {s: {m: values(r) for m, r in rs.items()} for s, rs in results.items()}
    columns = [m for m in _columns(results) if any(len(row.get(m, ())) for row in found.values())]
    lines = [
        f"## {title}",
        "",
        note,
        "",
        _row("stream", columns),
        "|---" * (len(columns) + 1) + "|",
    ]
    for stream, row in found.items():
        means = {m: np.mean(v) for m, v in row.items() if len(v)}
        peers = [value for m, value in means.items() if m != UPPER_BOUND]
        cells = []
        for m in columns:
            if m not in means:
                cells.append("-")
                continue
            cell = form.format(means[m])
            if best is not None:
                cell += f" ± {form.format(_error(row[m]))}"
                if m != UPPER_BOUND and means[m] == best(peers):
                    cell = f"**{cell}**"
                if m != UPPER_BOUND and _beats(row[m], row.get(DEFAULT, []), best):
                    cell += " †"
            cells.append(cell)
        lines.append(_row(stream, cells))
    if mean:
        lines += _means(found, columns, form)
    return "\n".join(lines)


def _means(found, columns, form):
    """Over all streams, and where some methods lack some, over those that all have run."""
    table = np.array([[np.mean(r[m]) if len(r.get(m, ())) else np.nan for m in columns]
                      for r in found.values()])  # fmt: skip
    whole = ~np.isnan(table).any(axis=1)
    rows = {"mean": table.mean(axis=0)}
    if whole.any() and not whole.all():
        rows[f"mean of the {whole.sum()} that all ran"] = table[whole].mean(axis=0)
    return [
        _row(name, ["-" if np.isnan(value) else form.format(value) for value in values])
        for name, values in rows.items()
    ]


def _row(name, cells):
    return f"| {name} | {' | '.join(cells)} |"


def _error(values):
    """Standard error of the mean."""
    return np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0


def _beats(values, default, best):
    """Whether better than the default by more than one standard error, order by order."""
    if len(values) != len(default):
        return False
    gain = np.subtract(values, default) * (1 if best is max else -1)
    return gain.mean() > max(_error(gain), 1e-9)


def _orders(key):
    """Function that gives a number of each order."""
    return lambda result: [o[key] for o in result["orders"].values() if key in o]


def _forgetting(result):
    return [100 * forgetting(o["accuracy_matrix"]) for o in result["orders"].values()]


def _seconds(result):
    return [sum(o["fit_time"]) + sum(o["score_time"]) for o in result["orders"].values()]


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
