import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import binom

pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

from benchmarks import report, runs
from benchmarks.paired import holm, mcnemar, verdicts


def answers(n_right, n=200, seed=0):
    return np.random.default_rng(seed).permutation(n) < n_right


def result(correct, stream="a", method="layup", old=False, **more):
    """A result of one task and as many orders as there are answers."""
    orders = {}
    for i, right in enumerate(correct):
        orders[str(1993 + i)] = {
            "accuracy_matrix": [[right.mean()]],
            "n_test": [len(right)],
            "fit_time": [0.5],
            "score_time": [0.25],
            **({} if old else {"correct": runs.packed(right), "state_bytes": 3_000_000}),
            **more,
        }
    return {
        "stream": stream,
        "method": method,
        "orders": orders,
        "n_test_samples": len(correct[0]),
        "environment": {**dict.fromkeys(runs.PACKAGES, "1"), "date": "2026-01-01", "cpu": "2 cores"}
        | {"gpu": "none", "python": "3", "blas": ["openblas"]},
    }


def written(folder, *results):
    for each in results:
        path = folder / each["stream"] / f"{each['method']}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(each))
    return report.write(folder)


def test_mcnemar_is_the_binomial_test_of_what_differs():
    first, second = np.zeros(20, bool), np.zeros(20, bool)
    first[:8], second[6:8], second[9] = True, True, True  # six against one
    assert_allclose(mcnemar(first, second), 2 * binom.cdf(1, 7, 0.5))
    assert mcnemar(first, second) == mcnemar(second, first)
    assert mcnemar(first, first) == 1.0


def test_mcnemar_rejects_at_its_level():
    rng = np.random.default_rng(0)
    p_values = [mcnemar(*(rng.random((2, 300)) < 0.8)) for _ in range(400)]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.07  # exact: below the level but for chance


def test_holm_of_a_known_case():
    assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_lies_between_no_correction_and_bonferroni(p_values):
    adjusted = holm(p_values)
    assert (adjusted >= np.array(p_values)).all()
    assert (adjusted <= np.minimum(len(p_values) * np.array(p_values), 1) + 1e-15).all()


def test_verdicts():
    ours = answers(150)
    much, little = ours.copy(), ours.copy()
    much[np.flatnonzero(ours)[:30]], little[np.flatnonzero(ours)[:2]] = False, False
    told = verdicts(
        {"layup": ours, "bad": much, "near": little, "good": ours | answers(150, seed=1)}, "layup"
    )
    assert told == {"bad": "worse", "near": "equal", "good": "better"}
    assert verdicts({"bad": much}, "layup") == {}


def test_the_report_marks_what_the_samples_tell(tmp_path):
    ours = answers(150)
    good, near, bad = ours | answers(150, seed=1), ours.copy(), ours & answers(150, seed=2)
    near[np.flatnonzero(ours)[:2]] = False
    text = written(
        tmp_path,
        result([ours]),
        result([good, ours], method="ranpac"),
        result([near], method="air"),
        result([bad], method="afl"),
        result([ours], method="sgd", old=True),
        result([ours], method="joint"),
    )
    final = text.split("## Final accuracy")[1].split("## ")[0].splitlines()
    header, _, row = [line for line in final if line.startswith("|")][:3]
    cells = dict(zip(*([cell.strip() for cell in line.split("|")] for line in (header, row))))
    error = np.sqrt(100 * 75 * 25 / 200) / 10
    assert cells["layup"] == f"75.0 ± {error:.1f}"
    mean = 100 * (good.mean() + ours.mean()) / 2
    assert cells["ranpac"].startswith(f"**{mean:.1f} ±") and cells["ranpac"].endswith("** †")
    assert cells["air"].endswith("~") and cells["joint"].endswith("~")
    assert cells["afl"][-1] not in "†~?" and cells["sgd"].endswith("?")
    assert "| ranpac | " + f"{mean - 75:+.1f} | 1 | 1 | 0 | 0 | 1 |" in text
    assert (
        f"| a | - | - | - | {100 * np.std([good.mean(), 0.75], ddof=1):.1f} |"
        in (text.split("## Spread")[1])
        or "Spread" in text
    )


def test_the_report_is_the_same_byte_for_byte(tmp_path):
    anytime = {"n_seen": [100, 200], "test": [0.5, 0.75], "prequential": [0.4, 0.6]}
    several = [
        result([answers(n)], method=m) for n, m in [(150, "layup"), (140, "afl"), (20, "sgd")]
    ]
    online = [
        result([answers(150)], "a_online10", m, anytime=anytime) for m in ("layup", "streaming_lda")
    ]
    for _ in range(2):
        text = written(tmp_path, *several, *online)
        files = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
        assert sorted(files) == ["a_online10.png", "final.png", "memory.png", "report.md"]
        assert files == locals().get("before", files)
        before = files
    assert "Anytime accuracy" in text and "| a_online10 | **62.5** | **62.5** |" in text


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="holds no results"):
        report.write(tmp_path)
