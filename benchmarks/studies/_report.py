"""The tables of the readout study."""

import json

import pandas as pd

from ._cases import CASES, NATURAL, OURS, PEERS
from ._rules import CANDIDATES

TODAY, GAUSSIAN, UNIFORM = OURS
PROBABILITIES = {
    "loss": "log loss",
    "best loss": "log loss, best temperature in hindsight",
    "calibration": "calibration error, %",
}


def report(folder):
    """Markdown of readout.json and, where it is there, readout_peers.json."""
    found, peers = (_read(folder / f"readout{end}.json") for end in ("", "_peers"))
    uniform = {name: f"{name}, uniform" for name in OURS}
    rules = {name: name for name in CANDIDATES} | {n: uniform[n] for n in (GAUSSIAN, UNIFORM)}
    natural = {name: f"{name}, natural" for name in OURS}
    parts = [
        ("Accuracy, all classes equally many in the test, %", _by_case(found, rules, "accuracy")),
        ("Accuracy on the worst class, %", _by_case(found, rules, "worst")),
        ("Accuracy, test as training, %", _by_case(found, natural, "accuracy", NATURAL)),
        ("Balanced accuracy, test as training, %", _by_case(found, natural, "balanced", NATURAL)),
        *(
            (f"Probabilities: {title}", _by_case(found, uniform, measure, form="{:.2f}"))
            for measure, title in PROBABILITIES.items()
        ),
        ("One class against the rest, accuracy, %", _two_classes(found)),
        ("Streams, all samples: accuracy, %", _by_stream(found, uniform, "accuracy", "all")),
        ("Streams, all samples: log loss", _by_stream(found, uniform, "loss", "all", "{:.2f}")),
        ("Streams, 1:20: accuracy, %", _by_stream(found, uniform, "accuracy", "1:20")),
    ]
    if not peers.empty:
        parts += _peers(peers, found, uniform)
    streams = ", ".join(found["stream"].unique())
    return "\n\n".join([f"Streams: {streams}.", *(f"## {t}\n\n{body}" for t, body in parts)])


def _read(path):
    """Numbers by stream, case, draw, rule and measure."""
    content = json.loads(path.read_text()) if path.exists() else {}
    rows = [
        (stream, case, draw, rule, measure, number)
        for stream, by_case in content.items()
        for case, by_draw in by_case.items()
        for draw, by_rule in by_draw.items()
        for rule, numbers in by_rule.items()
        for measure, number in numbers.items()
    ]
    return pd.DataFrame(rows, columns=["stream", "case", "draw", "rule", "measure", "number"])


def _pick(found, **equal):
    for column, value in equal.items():
        found = found[found[column] == value]
    return found


def _table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _by_case(found, rules, measure, cases=CASES, form="{:.1f}"):
    """Means over streams, with the standard error over draws."""

    def cell(case, rule):
        picked = _pick(found, case=case, rule=rule, measure=measure)
        by_draw = picked.groupby("draw")["number"].mean()
        error = f" ± {form.format(by_draw.sem())}" if len(by_draw) > 1 else ""
        return form.format(by_draw.mean()) + error

    rows = [[name, *(cell(case, rule) for case in cases)] for name, rule in rules.items()]
    return _table(["rule", *cases], rows)


def _by_stream(found, rules, measure, case, form="{:.1f}"):
    picked = _pick(found, case=case, measure=measure)
    table = picked.pivot_table(index="stream", columns="rule", values="number", sort=False)
    rows = [
        [stream, *(form.format(numbers[rule]) for rule in rules.values())]
        for stream, numbers in table.iterrows()
    ]
    return _table(["stream", *rules], rows)


def _two_classes(found):
    """Means over streams and classes, and the largest lag behind the better of the two peers."""
    picked = _pick(found, case="two classes").copy()
    picked[["features", "label", "rule"]] = picked["rule"].str.split(", ", n=2, expand=True)
    table = picked.pivot_table(
        index=["features", "stream", "label"], columns="rule", values="number", sort=False
    )
    peers = table[[name for name in table.columns if name not in OURS]].max(axis=1)
    means, lag = table.groupby("features", sort=False).mean(), (peers - table[GAUSSIAN])
    rows = [
        [
            features,
            *(f"{value:.1f}" for value in numbers),
            f"{lag[features].max():.1f}, {(lag[features] > 0.5).sum()} of {len(lag[features])}",
        ]
        for features, numbers in means.iterrows()
    ]
    behind = "Gaussian behind the better peer: at most, and how often by more than 0.5"
    return _table(["features", *means.columns, behind], rows)


def _peers(peers, found, uniform):
    """Accuracy of the first draw, mean over the streams that peers have run."""
    cases = list(peers["case"].unique())
    here = peers["stream"].unique()
    first = _pick(found[found["stream"].isin(here)], draw="0", measure="accuracy")
    every = pd.concat([_pick(peers, measure="accuracy"), first])

    def cell(case, rule):
        numbers = _pick(every, case=case, rule=rule)["number"]
        return f"{numbers.mean():.1f}" if len(numbers) == len(here) else "-"

    names = {name: rule for name, rule in uniform.items()} | {name: name for name in PEERS}
    rows = [[name, *(cell(case, rule) for case in cases)] for name, rule in names.items()]
    title = f"Peers on the same features: accuracy, %, mean of {len(here)} streams, one draw"
    yield title, _table(["method", *cases], rows)
    for case in ("all", "1:20"):
        picked = _pick(every, case=case)
        yield (
            f"Peers, {case}",
            _by_stream(
                picked,
                {n: r for n, r in names.items() if r in set(picked["rule"])},
                "accuracy",
                case,
            ),
        )
