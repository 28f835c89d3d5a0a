import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss, roc_auc_score

from layup_sklearn import ImageEncoder, LayUPClassifier

pytest.importorskip("matplotlib").use("Agg")
from benchmarks import __main__, datasets, methods, report, runs, streams
from benchmarks.methods.ranpac import RIDGES, RanPAC
from benchmarks.methods.streaming_lda import StreamingLDA
from benchmarks.protocols import PROTOCOLS


@pytest.fixture
def stream(monkeypatch):
    images, y = load_digits(return_X_y=True)
    X = images[:500] - images.mean(axis=0)
    layers = {"avg": [X[:, :32].astype(np.float32), X[:, 32:].astype(np.float32)]}
    dataset = datasets.Dataset(None, y[:300], None, y[300:500], n_tasks=3)
    made = streams.Stream("digits_efficientnet", layers, dataset)
    monkeypatch.setattr(streams, "load", lambda name, root: made)
    return made


def test_all_methods_from_run_to_report(stream, few_random_features, tmp_path, capsys):
    __main__.main(["run", "--orders", "2", "--results", str(tmp_path)])
    lines = capsys.readouterr().out.strip().splitlines()
    suiting = [name for name in methods.names() if methods.suits(name, stream)]
    others = len(methods.names()) - len(suiting)
    n_runs = sum(1 if methods.is_order_free(name) else 2 for name in suiting)
    assert len(lines) == n_runs + others
    assert sum("left out" in line for line in lines) == others > 0
    __main__.main(["report", "--results", str(tmp_path)])
    text = capsys.readouterr().out
    row = next(line for line in text.splitlines() if line.startswith("| digits_efficientnet"))
    assert row.count("±") == len(suiting)
    assert (tmp_path / "report.md").read_text().strip() == text.strip()
    assert (tmp_path / "final.png").stat().st_size > 10_000
    found = runs.load(tmp_path)["digits_efficientnet"]
    assert found["layup"]["environment"]["numpy"] == np.__version__
    for result in found.values():
        for order in result["orders"].values():
            correct = runs.unpacked(order["correct"], result["n_test_samples"])
            end = np.average(order["accuracy_matrix"][-1], weights=order["n_test"])
            assert len(correct) == 200 and correct.mean() == pytest.approx(end, abs=1e-6)
            assert order["state_bytes"] > 0


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_an_interrupted_run_goes_on_to_the_same_table(stop, stream, tmp_path, monkeypatch):
    arguments = ["run", "--methods", "layup_paper", "sgd", "--orders", "2", "--results"]
    evaluate, calls = runs.evaluate_continual, []

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return evaluate(*args, **options)

    __main__.main([*arguments, str(tmp_path / "whole")])
    monkeypatch.setattr(runs, "evaluate_continual", interrupted)
    with pytest.raises(KeyboardInterrupt):
        __main__.main([*arguments, str(tmp_path / "parts")])
    __main__.main([*arguments, str(tmp_path / "parts")])
    assert len(calls) == 5  # four runs, one of them twice
    whole, parts = (runs.load(tmp_path / name) for name in ("whole", "parts"))
    for method in ("layup_paper", "sgd"):
        for seed in ("1993", "1994"):
            a, b = (
                r["digits_efficientnet"][method]["orders"][seed]["accuracy_matrix"]
                for r in (whole, parts)
            )
            np.testing.assert_array_equal(a, b)


def test_probabilities_and_novelty_of_a_run(stream, tmp_path):
    runs.run(stream, "layup", 1, tmp_path)
    order = runs.load(tmp_path)["digits_efficientnet"]["layup"]["orders"]["1993"]
    X, X_test, _ = stream.features(**methods.definition("layup", stream))
    y, y_test = stream.dataset.y_train, stream.dataset.y_test
    model, areas = LayUPClassifier(), []
    tasks = stream.tasks(1993)
    for train, _ in tasks[:-1]:
        model.partial_fit(X[train], y[train])
        areas.append(roc_auc_score(np.isin(y_test, model.classes_), model.score_samples(X_test)))
    assert order["novelty"] == pytest.approx(np.mean(areas))
    model.partial_fit(X[tasks[-1][0]], y[tasks[-1][0]])
    assert order["log_loss"] == pytest.approx(log_loss(y_test, model.predict_proba(X_test)))


def test_with_a_fixed_ridge_task_by_task_is_one_fit(stream, tmp_path):
    runs.run(stream, "recursive_ridge", 2, tmp_path)
    orders = runs.load(tmp_path)["digits_efficientnet"]["recursive_ridge"]["orders"]
    assert [order["joint_gap"] for order in orders.values()] == [0.0]
    assert "Incremental against joint" in report.write(tmp_path)


def test_adapted_networks_see_the_images(tmp_path):
    images, y = load_digits(return_X_y=True)
    images = images[:90].reshape(-1, 8, 8) / 16
    dataset = datasets.Dataset(images[:60], y[:60], images[60:], y[60:90], n_tasks=2)
    encoder = ImageEncoder(
        "test_vit", pretrained=False, image_size=32, n_layers=3, layer_norm=False, memory=tmp_path
    )
    stream = streams.Stream("digits_tiny", {}, dataset, encoder)
    assert methods.suits("layup_ssf", stream)
    runs.run(stream, "layup_ssf", 1, tmp_path)
    result = runs.load(tmp_path)["digits_tiny"]["layup_ssf"]
    assert result["n_features"] == 6 * 64
    assert len(result["orders"]["1993"]["fit_time"]) == 2
    stream.encoder = ImageEncoder("test_resnet", pretrained=False)
    assert not methods.suits("layup_ssf", stream) and methods.suits("layup", stream)


def test_results_of_another_definition_are_made_again(stream, tmp_path, monkeypatch):
    monkeypatch.setattr(methods.get("layup"), "ORDER_FREE", False)
    path = runs.run(stream, "layup", 2, tmp_path)
    assert len(runs.load(tmp_path)["digits_efficientnet"]["layup"]["orders"]) == 2
    monkeypatch.setitem(methods.get("layup").FEATURES, "n_layers", 1)
    assert runs.run(stream, "layup", 1, tmp_path) == path
    again = runs.load(tmp_path)["digits_efficientnet"]["layup"]
    assert len(again["orders"]) == 1 and again["n_features"] == 32
    monkeypatch.setitem(stream.auto, "layer_norm", True)
    runs.run(stream, "layup", 2, tmp_path)
    again = runs.load(tmp_path)["digits_efficientnet"]["layup"]
    assert again["definition"] == {"n_layers": 1, "pool": "avg", "layer_norm": True}
    assert len(again["orders"]) == 2


def test_results_without_single_outcomes_are_made_again(stream, tmp_path):
    path = runs.run(stream, "sgd", 2, tmp_path)
    old = json.loads(path.read_text())
    del old["orders"]["1994"]["correct"]
    path.write_text(json.dumps(old))
    runs.run(stream, "sgd", 1, tmp_path)
    orders = json.loads(path.read_text())["orders"]
    assert list(orders) == ["1993"] and orders["1993"]["correct"]


def test_online_runs_end_where_whole_tasks_end(stream, tmp_path):
    options = ["--methods", "layup", "--orders", "1", "--results", str(tmp_path)]
    __main__.main(["run", *options])
    __main__.main(["run", *options, "--protocol", "online10"])
    found = runs.load(tmp_path)
    whole, online = (
        found[name]["layup"]["orders"]["1993"]
        for name in ("digits_efficientnet", "digits_efficientnet_online10")
    )
    np.testing.assert_array_equal(whole["accuracy_matrix"][-1], online["accuracy_matrix"][-1])
    assert whole["correct"] == online["correct"]
    assert online["anytime"]["n_seen"][-1] == len(stream.dataset.y_train)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocols_depend_on_the_seed_alone(name, stream):
    y = stream.dataset.y_train
    (tasks, labels), again, other = (
        PROTOCOLS[name](stream.tasks(1993), y, seed) for seed in (0, 0, 1)
    )
    assert str(tasks) == str(again[0])
    np.testing.assert_array_equal(labels, again[1])
    assert str(tasks) != str(other[0]) or (labels != other[1]).any()
    assert (labels is y) == (name != "noise20")


def test_domains_are_the_tasks_where_there_are_some():
    y, domain = np.arange(8) % 2, np.repeat(["film", "news"], 4)
    dataset = datasets.Dataset(None, y, None, y, domain, domain)
    tasks = streams.Stream("x", {}, dataset).tasks(1993)
    assert sorted(tuple(train) for train, _ in tasks) == [(0, 1, 2, 3), (4, 5, 6, 7)]
    dataset.domains = ["news", "film"]
    assert streams.Stream("x", {}, dataset).tasks(5)[0][0].tolist() == [4, 5, 6, 7]


def test_names_of_streams():
    assert streams.split_name("imagenet_r_vit_in21k") == ("imagenet_r", "vit_in21k")
    with pytest.raises(SystemExit, match="There is no stream 'digits'"):
        streams.split_name("digits")


@pytest.mark.parametrize("n_components", [20, 30, 60])  # the Gram matrix; from call 2 on; never
def test_random_features_solve_their_own_ridge_system(n_components):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 5)).astype(np.float32), np.arange(40) % 3
    model = RanPAC(n_components).partial_fit(X[:25], y[:25]).partial_fit(X[25:], y[25:])
    H = np.maximum(X @ model.weights_, 0).astype(float)
    expected = Ridge(alpha=model.ridge_, fit_intercept=False).fit(H, np.eye(3)[y]).coef_
    assert_allclose(model.coef_, expected, rtol=1e-2, atol=1e-4)
    model.best_ = 11
    model.partial_fit(X[:1], y[:1])  # too few to choose anew
    assert model.ridge_ == RIDGES[11]


def test_random_features_pass_over_a_ridge_that_leaves_their_system_singular():
    X = np.random.default_rng(0).standard_normal((18, 1)).astype(np.float32)
    model = RanPAC(n_components=20).partial_fit(X[:15], np.arange(15) % 3)
    model.best_ = 0
    model.partial_fit(X[15:], np.arange(3))  # a kernel matrix of rank 2, but for rounding
    assert RIDGES[0] < model.ridge_


def test_report_names_every_machine_and_version(stream, few_random_features, tmp_path):
    for method in ("layup", "sgd"):
        path = runs.run(stream, method, 1, tmp_path)
    result = json.loads(path.read_text())
    result["environment"].update({"gpu": "H100", "numpy": "1.26.0"})
    path.write_text(json.dumps(result))
    header = report.write(tmp_path).split("## ")[0]
    assert "GPU: H100 and none" in header and f"1.26.0 and {np.__version__}" in header


@pytest.mark.parametrize("option", ["--orders"])
def test_numbers_on_the_command_line_are_positive(option, capsys):
    with pytest.raises(SystemExit):
        __main__.main(["run", option, "0"])
    assert f"argument {option}: invalid positive value: '0'" in capsys.readouterr().err


def test_streaming_lda_has_the_running_covariance():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 4)), np.arange(30) % 2
    parts = StreamingLDA().partial_fit(X[:9], y[:9], classes=[0, 1]).partial_fit(X[9:], y[9:])
    whole = StreamingLDA().partial_fit(X, y)
    assert_allclose(parts.coef_, whole.coef_)
    assert_allclose(whole.mean_, [X[y == c].mean(axis=0) for c in (0, 1)])
