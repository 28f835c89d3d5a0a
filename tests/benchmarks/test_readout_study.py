import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from benchmarks import methods
from benchmarks.datasets import Dataset
from benchmarks.streams import Stream
from benchmarks.studies import readout
from benchmarks.studies._cases import CASES, PEERS
from benchmarks.studies._rules import CANDIDATES, Sums
from benchmarks.studies.gaussian_ridge import accuracies, model_ridge
from benchmarks.studies.readout import draw, of_labels, of_ours, of_probabilities
from layup_sklearn import LayUPClassifier

Y = np.repeat(np.arange(5), 100)


def easy():
    rng = np.random.default_rng(0)
    X = 9 * np.eye(5)[Y] + rng.standard_normal((500, 5))
    return X[::2], Y[::2], X[1::2], Y[1::2]


@pytest.mark.parametrize("case", CASES)
def test_a_case_takes_rows_of_every_class_once(case):
    rows = draw(Y, case, np.random.default_rng(0), np.arange(5)[::-1])
    counts = np.bincount(Y[rows], minlength=5)
    assert len(set(rows.tolist())) == len(rows)
    if case.startswith("1:"):
        assert counts[0] == 100 // int(case[2:]) and counts[-1] == 100
        assert (np.diff(counts) > 0).all()
    else:
        assert counts.tolist() == [100 if case == "all" else int(case)] * 5


def test_measures():
    y = np.array([0, 0, 0, 1])
    found = of_labels(np.array([0, 0, 1, 1]), y)
    assert_allclose([found[m] for m in ("accuracy", "balanced", "worst")], [75, 250 / 3, 200 / 3])
    found = of_probabilities(np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]]), y)
    assert_allclose(found["loss"], -np.log([0.9, 0.6, 0.3, 0.8]).mean())
    assert found["best loss"] < found["loss"]
    assert_allclose(found["calibration"], 100 * (0.1 + 0.4 + 0.7 + 0.2) / 4)


def test_rules_of_the_package_and_candidates_know_classes_that_are_easy_to_tell():
    X, y, X_test, y_test = easy()
    for found in dict(of_ours(X, y, {"uniform": (X_test, y_test)})).values():
        assert found["accuracy"] == 100 and found["loss"] < 0.3
    classifier = LayUPClassifier(rule="ridge").fit(X, y)
    for rule in CANDIDATES.values():
        coef, intercept = rule(Sums(classifier))
        assert ((X_test @ coef.T + intercept).argmax(axis=1) == y_test).all()
    coef, _ = CANDIDATES["ridge"](Sums(classifier))
    assert_allclose(coef, classifier.coef_)


@pytest.mark.parametrize("name", PEERS)
def test_peers_learn_in_tasks(name, few_random_features):
    X, y, X_test, y_test = easy()
    model = methods.get(name).make([5], 0)
    for task in ([0, 1, 2], [3, 4]):
        rows = np.isin(y, task)
        model.partial_fit(
            X[rows], y[rows], **({"classes": np.arange(5)} if name == "streaming_lda" else {})
        )
    assert (model.predict(X_test) == y_test).mean() > 0.95


def test_from_the_command_line_to_the_tables(few_random_features, tmp_path, monkeypatch, capsys):
    images, y = load_digits(return_X_y=True)
    layers = {"avg": [images[:500].astype(np.float32)]}
    made = Stream("digits_efficientnet", layers, Dataset(None, y[:400], None, y[400:500]))
    calls = []
    monkeypatch.setattr(readout, "load", lambda name, root: calls.append(name) or made)
    for extra in ([], ["--peers"], []):  # what is there is not measured again
        arguments = ["readout", "digits_efficientnet", "--results", str(tmp_path), *extra]
        monkeypatch.setattr("sys.argv", arguments)
        readout.main()
    assert len(calls) == 2
    monkeypatch.setattr("sys.argv", ["readout", "--report", "--results", str(tmp_path)])
    readout.main()
    text = capsys.readouterr().out
    for name in (*CANDIDATES, *PEERS, *readout.OURS, "standardised"):
        assert f"| {name} |" in text
    assert "nan" not in text


def test_the_ridge_of_the_models_evidence_is_near_the_noise():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(4000) % 4)
    X = 3 * np.eye(4, 30)[y] + rng.standard_normal((4000, 30))
    ridges = 10.0 ** np.arange(-3, 6, 0.5)
    statistics = LayUPClassifier().fit(X, y).statistics_
    # d + 2 prior samples of variance 1: a ridge of about 32.
    assert 10 <= model_ridge(statistics, ridges) <= 100
    assert (accuracies(X[::2], y[::2], X[1::2], y[1::2]) > 90).all()
