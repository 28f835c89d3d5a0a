"""A Markdown table of all results, and a picture for each stream."""

from itertools import cycle

import numpy as np
import pandas as pd

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
            *tables(results),
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


def measures(results):
    """Everything that was measured: a row for each stream, method and order.

    Parameters
    ----------
    results : dict of str to dict of str to result

    Returns
    -------
    measures : DataFrame
        Index "stream", "method" and "order"; NaN where a method has no such thing.
    """
    rows = {}
    for stream, by_method in results.items():
        for method, result in by_method.items():
            for (order, one), curve in zip(result["orders"].items(), _curves(result)):
                rows[stream, method, order] = {
                    "final": curve[-1],
                    "average": curve.mean(),
                    "forgetting": 100 * forgetting(one["accuracy_matrix"]),
                    "joint_gap": 100 * one.get("joint_gap", np.nan),
                    "log_loss": one.get("log_loss", np.nan),
                    "calibration_error": one.get("calibration_error", np.nan),
                    "novelty": 100 * one.get("novelty", np.nan),
                    "seconds": sum(one.get("fit_time", [])) + sum(one.get("score_time", [])),
                    "columns": result.get("n_features", np.nan),
                }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["stream", "method", "order"])
    return table


def tables(results):
    """Markdown tables of streams by methods, one for each thing that was measured."""
    found = measures(results)
    marks = (
        f"Bold: best but for `{UPPER_BOUND}`. †: better than `{DEFAULT}` by at least 0.1 and by "
        "more than one standard error of the difference, order by order."
    )

    def table(name, title, note, **options):
        if (measured := found[name].dropna()).empty:
            return []
        columns = [m for m in _columns(results) if m in measured.index.get_level_values("method")]
        return ["\n".join([f"## {title}", "", note, "", *_table(measured, columns, **options)])]

    return [
        *table("final", "Final accuracy, %", marks, best=max, mark=True),
        *table("average", "Average accuracy, %", marks, best=max, mark=True),
        *table(
            "forgetting",
            "Forgetting, points",
            "Mean loss since a task's best accuracy. In class-incremental streams the sums "
            "themselves forget nothing and still lose: later classes are more to be confused with.",
        ),
        *table(
            "joint_gap",
            "Incremental against joint, points",
            "With a fixed ridge: accuracy on all test samples of one fit on all training samples, "
            "less that after the last task.",
        ),
        *table(
            "log_loss",
            "Log loss of the probabilities",
            "Of `predict_proba` after the last task. Bold: best.",
            form="{:.2f}",
            best=min,
        ),
        *table(
            "calibration_error",
            "Calibration error of the probabilities, %",
            "Expected calibration error of the predicted label; 15 equal bins. Bold: best.",
            best=min,
        ),
        *table(
            "novelty",
            "Novelty, %",
            "Area under the ROC curve of `score_samples`: test samples of classes seen against "
            "those of classes to come, mean over all tasks but the last. Bold: best.",
            best=max,
        ),
        *table(
            "seconds",
            "Seconds to learn the whole stream, and to predict after every task",
            "Features are at hand; only adapted networks are trained in this time, and embed what "
            "they learn and part of the test images.",
        ),
        *table("columns", "Columns", "Features that a method sees.", form="{:.0f}"),
    ]


def _table(measured, columns, form="{:.1f}", best=None, mark=False):
    """Lines of a table; with `best` cells have standard errors, and the table means."""
    lines = [_row("stream", columns), "|---" * (len(columns) + 1) + "|"]
    means = measured.groupby(["stream", "method"]).mean().unstack()[columns]
    errors = measured.groupby(["stream", "method"]).sem().unstack()[columns]
    peers = means.drop(columns=UPPER_BOUND, errors="ignore")
    for stream, row in means.iterrows():
        cells = []
        for method, value in row.items():
            cell = _number(value, form)
            if best is not None and np.isfinite(value):
                if np.isfinite(error := errors.loc[stream, method]):  # not of one order
                    cell += f" ± {form.format(error)}"
                if method in peers and value == best(peers.loc[stream].dropna()):
                    cell = f"**{cell}**"
                if mark and method in peers and _beats(measured[stream], method):
                    cell += " †"
            cells.append(cell)
        lines.append(_row(stream, cells))
    if best is not None:
        lines += _means(means, form)
    return lines


def _means(table, form):
    """Over all streams, and where some methods lack some, over those that all have run."""
    rows, whole = {"mean": table.mean(skipna=False)}, table.dropna()
    if 0 < len(whole) < len(table):
        rows[f"mean of the {len(whole)} that all ran"] = whole.mean()
    return [_row(name, [_number(v, form) for v in values]) for name, values in rows.items()]


def _beats(accuracy, method):
    """Whether better than the default on a stream; `accuracy` by method and order."""
    if DEFAULT not in accuracy.index:
        return False
    gain = (accuracy[method] - accuracy[DEFAULT]).dropna()
    return len(gain) > 1 and gain.mean() > max(gain.sem(), 0.1)


def _number(value, form):
    return form.format(value) if np.isfinite(value) else "-"


def _row(name, cells):
    return f"| {name} | {' | '.join(cells)} |"


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
    every = [result for by_method in results.values() for result in by_method.values()]

    def seen(name):
        values = {result["environment"][name] for result in every}
        return " and ".join(sorted(values))

    versions = ", ".join(f"{name} {seen(name)}" for name in runs.PACKAGES)
    blas = {library for result in every for library in result["environment"]["blas"]}
    n_orders = ", ".join(map(str, sorted({len(result["orders"]) for result in every})))
    lines = [
        (
            f"{seen('date')}; {seen('cpu')}, GPU: {seen('gpu')}; Python {seen('python')}, "
            f"{versions}; {'; '.join(sorted(blas))}."
        ),
        "",
        (
            f"Orders of the classes (or domains) from seed 1993 on: {n_orders}. Mean over them, ± "
            "its standard error; one where the order says nothing about a method."
        ),
        "",
        *(f"- `{m}`: {methods.get(m).__doc__.splitlines()[0]}" for m in _columns(results)),
    ]
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

    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    curves = {m: _curves(by_method[m]) for m in _columns({stream: by_method})}
    # The same in all pictures.
    colors = dict(zip(methods.names(), cycle(plt.colormaps["tab20"].colors)))
    ax.set_prop_cycle(color=[colors[m] for m in curves])
    AccuracyCurvesDisplay(curves).plot(ax=ax)
    ax.set(title=stream, ylabel="accuracy on all tasks so far, %")
    ax.legend(bbox_to_anchor=(1.01, 1), loc="upper left", frameon=False)
    figure.savefig(path, dpi=100)
    plt.close(figure)
