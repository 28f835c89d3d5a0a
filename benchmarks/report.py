"""A Markdown table of all results, and a few pictures."""

import numpy as np
import pandas as pd

from layup_sklearn.evaluation import average_accuracy, forgetting

from . import datasets, methods, pictures, runs
from .paired import verdicts
from .protocols import PROTOCOLS
from .published import published, ranpac

DEFAULT, UPPER_BOUND = "layup", "joint"
MARKS = {"better": " †", "equal": " ~", "worse": ""}


def write(folder):
    """Write report.md and the pictures into the folder of the results.

    Returns
    -------
    text : str
        The report.
    """
    results = runs.load(folder)
    if not results:
        raise SystemExit(f"{folder} holds no results: python -m benchmarks run")
    names = sorted({_data_set(stream) for stream in results})
    text = "\n\n".join(
        [
            "# Continual learners on the same features and splits",
            _environment(results),
            *_draw(results, folder),
            *_comparisons(results),
            *tables(results),
            *(_published(name) for name in names if published(name)),
        ]
    )
    (folder / "report.md").write_text(text + "\n")
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
                final, n_test = _of_all_samples(one), sum(one["n_test"])
                rows[stream, method, order] = {
                    "final": 100 * final,
                    "error": 100 * np.sqrt(final * (1 - final) / n_test),
                    "average": curve.mean(),
                    "anytime": 100 * np.mean(one["anytime"]["test"])
                    if "anytime" in one
                    else np.nan,
                    "forgetting": 100 * forgetting(one["accuracy_matrix"]),
                    "joint_gap": 100 * one.get("joint_gap", np.nan),
                    "log_loss": one.get("log_loss", np.nan),
                    "calibration_error": one.get("calibration_error", np.nan),
                    "novelty": 100 * one.get("novelty", np.nan),
                    "megabytes": one.get("state_bytes", np.nan) / 1e6,
                    "seconds": sum(one.get("fit_time", [])) + sum(one.get("score_time", [])),
                    "columns": result.get("n_features", np.nan),
                }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["stream", "method", "order"])
    return table


def tables(results):
    """Markdown tables of streams by methods, one for each thing that was measured."""
    found = measures(results)
    told = {stream: verdicts(_correct(by), DEFAULT) for stream, by in results.items()}
    marks = (
        "On all test samples after the last task, mean over the orders, ± the standard error over "
        f"the samples. Bold: best but for `{UPPER_BOUND}`. Exact McNemar tests of the first order "
        f"against `{DEFAULT}`, on the same samples, Holm's correction for all of a stream, 5 %: † "
        "better, ~ not told apart, no mark worse; ? from results that kept no single answers."
    )

    def table(name, title, note, **options):
        if (measured := found[name].dropna()).empty:
            return []
        columns = [m for m in _columns(results) if m in measured.index.get_level_values("method")]
        return ["\n".join([f"## {title}", "", note, "", *_table(measured, columns, **options)])]

    spread = found["final"].groupby(["stream", "method"]).agg(["std", "count"])
    found["spread"] = spread["std"].reindex(found.index.droplevel("order")).to_numpy()
    first = found[found.index.get_level_values("order") == str(runs.FIRST_SEED)]
    found["average"] = first["average"]
    return [
        *table("final", "Final accuracy, %", marks, best=max, told=told, errors=found["error"]),
        *table(
            "spread",
            "Spread over the orders, points",
            "Standard deviation of the final accuracy over orders of the classes or draws of a "
            "protocol; methods whose last answers do not depend on the order learn one.",
        ),
        *table(
            "average",
            "Average accuracy, %",
            f"Mean over the tasks so far, mean over all tasks, in the order of {runs.FIRST_SEED}. "
            f"Bold: best but for `{UPPER_BOUND}`.",
            best=max,
        ),
        *table(
            "anytime",
            "Anytime accuracy, %",
            "On the test samples of the classes seen so far, mean over twenty points of the stream.",
            best=max,
        ),
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
        *table(
            "megabytes",
            "Memory between calls, MB",
            "What a method keeps, as its authors would; random matrices that a seed makes again and "
            "the network are not counted.",
        ),
        *table("columns", "Columns", "Features that a method sees.", form="{:.0f}"),
    ]


def _table(measured, columns, form="{:.1f}", best=None, told=None, errors=None):
    """Lines of a table; with `best` the best cells are bold, and the table has means."""
    lines = [_row("stream", columns), "|---" * (len(columns) + 1) + "|"]
    means = measured.groupby(["stream", "method"]).mean().unstack()[columns]
    if errors is not None:
        errors = errors.groupby(["stream", "method"]).mean().unstack()
    peers = means.drop(columns=UPPER_BOUND, errors="ignore")
    for stream, row in means.iterrows():
        cells = []
        for method, value in row.items():
            cell = _number(value, form)
            if errors is not None and np.isfinite(value):
                cell += f" ± {form.format(errors.loc[stream, method])}"
            if best is not None and method in peers and value == best(peers.loc[stream].dropna()):
                cell = f"**{cell}**"
            if told is not None and np.isfinite(value) and method != DEFAULT:
                cell += MARKS.get(told[stream].get(method), " ?")
            cells.append(cell)
        lines.append(_row(stream, cells))
    if best is not None:
        lines += _means(means, form)
    return lines


def _comparisons(results):
    """Tables of methods against the default: on streams as they are, and under protocols."""
    harder = {s: by for s, by in results.items() if _protocol(s)}
    plain = {s: by for s, by in results.items() if s not in harder}
    tables = [_comparison(plain, f"Against `{DEFAULT}`")] if plain else []
    return tables + ([_comparison(harder, "The same under protocols")] if harder else [])


def _protocol(stream):
    """The protocol in the name of a stream, "" where there is none."""
    return next((name for name in PROTOCOLS if stream.endswith(f"_{name}")), "")


def _comparison(results, title):
    """A table of methods: how far from the default, on how many streams better or worse."""
    found = measures(results).groupby(["stream", "method"]).mean()
    final, state = found["final"].unstack(), found["megabytes"].unstack()
    lines = [
        f"## {title}",
        "",
        "Final accuracy less that of the default, mean over the streams that both ran; on how many of "
        "them the samples say better, cannot tell, say worse (as in the next table); memory over that "
        "of the default, median.",
        "",
        _row("method", ["points", "streams", "better", "not told apart", "worse", "memory"]),
        "|---" * 7 + "|",
    ]
    told = [verdicts(_correct(by), DEFAULT) for by in results.values()]
    for method in _columns(results):
        if method == DEFAULT or DEFAULT not in final:
            continue
        gains = (final[method] - final[DEFAULT]).dropna()
        said = [each[method] for each in told if method in each]
        counts = [str(said.count(verdict)) for verdict in ("better", "equal", "worse")]
        memory = (state[method] / state[DEFAULT]).median()
        share = f"{memory:.2g}" if np.isfinite(memory) else "-"
        lines.append(_row(method, [f"{gains.mean():+.1f}", str(len(gains)), *counts, share]))
    return "\n".join(lines)


def _correct(by_method):
    """By method: which test samples are labelled rightly in the first order."""
    order = str(runs.FIRST_SEED)
    return {
        method: runs.unpacked(result["orders"][order]["correct"], result["n_test_samples"])
        for method, result in by_method.items()
        if "correct" in result["orders"].get(order, {})
    }


def _of_all_samples(order):
    """Accuracy after the last task on the test samples of all tasks."""
    return float(np.average(order["accuracy_matrix"][-1], weights=order["n_test"]))


def _means(table, form):
    """Over all streams, and where some methods lack some, over those that all have run."""
    rows, whole = {"mean": table.mean(skipna=False)}, table.dropna()
    if 0 < len(whole) < len(table):
        rows[f"mean of the {len(whole)} that all ran"] = whole.mean()
    return [_row(name, [_number(v, form) for v in values]) for name, values in rows.items()]


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
            "Orders of the classes (or domains), and draws of a protocol, from seed "
            f"{runs.FIRST_SEED} on: {n_orders}."
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


def _draw(results, folder):
    """Draw the pictures; lines of Markdown that show them."""
    found = measures(results)
    means = found.groupby(["stream", "method"]).mean()
    whole = {s: by for s, by in results.items() if DEFAULT in by and not _anytime(by)}
    shown = []
    if whole:
        final = {s: means.loc[s, "final"].dropna().to_dict() for s in whole}
        errors = {s: means.loc[s, "error"].to_dict() for s in whole}
        pictures.draw_final(final, errors, folder / "final.png", ours=DEFAULT, bound=UPPER_BOUND)
        shown.append("![Sorted dots of final accuracy, a panel a stream](final.png)")
    plain = [stream for stream in whole if not _protocol(stream)]
    both = means.loc[plain, ["final", "megabytes"]].dropna().unstack("method")
    counts = both.notna().sum()
    # As many methods as possible, on three streams or as many as there are, each on all of them.
    blocks = [both.loc[:, counts >= least].dropna() for least in sorted(counts.unique())]
    many = max(blocks, key=lambda b: (min(len(b), 3), b.shape[1], len(b)), default=both)
    if len(many):
        accuracy, megabytes = many["final"].mean().to_dict(), many["megabytes"].mean().to_dict()
        path = folder / "memory.png"
        pictures.draw_memory(accuracy, megabytes, path, ours=DEFAULT, bound=UPPER_BOUND)
        shown.append(f"![Accuracy against memory, mean over {len(many)} streams](memory.png)")
    for stream, by_method in results.items():
        if curves := _anytime(by_method):
            pictures.draw_anytime(curves, stream, folder / f"{stream}.png", ours=DEFAULT)
            shown.append(f"![Accuracy while the stream goes on: {stream}]({stream}.png)")
    return shown


def _anytime(by_method):
    """By method: samples learned, and accuracies in % then, in the first order."""
    order = str(runs.FIRST_SEED)
    every = {m: r["orders"].get(order, {}).get("anytime") for m, r in by_method.items()}
    return {m: (a["n_seen"], 100 * np.array(a["test"])) for m, a in every.items() if a}
