"""One result file for each stream and method, written anew after every order.

Of every order: accuracies and times; `state_bytes`, what the method keeps between calls; and
`correct`, whether the last predictions are right, one bit for each test sample of the data set.
"""

import base64
import json
import os
import platform
import re
from datetime import date
from functools import partial
from importlib.metadata import version
from numbers import Real
from time import perf_counter

import joblib
import numpy as np
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info

from layup_sklearn.evaluation import (
    average_accuracy,
    evaluate_continual,
    evaluate_prequential,
)

from . import calibration, methods
from .protocols import PROTOCOLS
from .streams import FIRST_SEED

PACKAGES = ["layup_sklearn", "scikit-learn", "numpy", "scipy", "torch", "timm"]


def run(stream, method, n_orders, folder, protocol=None):
    """Learn a stream with a method in several orders; orders that are there are kept.

    Where the last predictions of a method do not depend on the order, it learns one: others
    would say nothing about the uncertainty of its accuracy.

    Parameters
    ----------
    stream : Stream
    method : str
    n_orders : int
        Seeds 1993, 1994, ...
    folder : Path
        Of the result files.
    protocol : str, default=None
        Name in PROTOCOLS; its draw depends on the seed, so that all orders are learned. With
        "online1" and "online10" every batch is answered before it is learned.

    Returns
    -------
    path : Path
        Of the result file.
    """
    module = methods.get(method)
    name = f"{stream.name}_{protocol}" if protocol else stream.name
    path = folder / name / f"{method}.json"
    result = json.loads(path.read_text()) if path.exists() else {}
    definition = methods.definition(method, stream)
    whole = all("correct" in order for order in result.get("orders", {}).values())
    if result.get("definition") != definition or not whole:
        result = {"stream": name, "method": method, "definition": definition, "orders": {}}
    make, X_train, X_test = _prepared(stream, module, definition)
    y_train, y_test = stream.dataset.y_train, stream.dataset.y_test
    once = protocol is None and methods.is_order_free(method)
    for seed in range(FIRST_SEED, FIRST_SEED + (1 if once else n_orders)):
        if str(seed) in result["orders"]:
            continue
        tasks, labels = stream.tasks(seed), y_train
        if protocol:
            tasks, labels = PROTOCOLS[protocol](tasks, y_train, seed)
        learn = _learn_online if isinstance(tasks[0][0], list) else _learn_tasks
        data = X_train, labels, X_test, y_test
        outcome, measured = learn(make(seed), tasks, *data, stream.is_class_incremental)
        result["orders"][str(seed)] = {
            **measured,
            "state_bytes": int(methods.state_bytes(outcome.estimator)),
            "correct": packed(outcome.estimator.predict(X_test) == y_test),
            **_answers(outcome.estimator, X_test, y_test),
        }
        if protocol is None:
            result["orders"][str(seed)] |= _joint_gap(make(seed), outcome.estimator, *data)
        statistics = getattr(outcome.estimator, "statistics_", None)
        result["n_features"] = statistics.n_features if statistics else int(X_train.shape[1])
        result["n_test_samples"] = len(y_test)
        result["environment"] = environment()
        _write(path, result)
        print(
            f"{name:24} {method:16} order {seed}: "
            f"final {100 * average_accuracy(measured['accuracy_matrix'])[-1]:.1f}, "
            f"{sum(measured['fit_time']):.1f} s",
            flush=True,
        )
    return path


def _learn_tasks(estimator, tasks, X_train, y_train, X_test, y_test, with_novelty):
    """The outcome of tasks, and what was measured after each of them."""
    novelty = Novelty(tasks if with_novelty else [], X_test)
    outcome = evaluate_continual(
        estimator, tasks, X_train, y_train, X_test, y_test, callback=novelty
    )
    return outcome, {
        "accuracy_matrix": outcome.accuracy_matrix.round(6).tolist(),
        "n_test": outcome.n_test.tolist(),
        "fit_time": outcome.fit_time.round(4).tolist(),
        "score_time": outcome.score_time.round(4).tolist(),
        **novelty.mean(),
    }


def _learn_online(estimator, tasks, X_train, y_train, X_test, y_test, _):
    """The outcome of small batches, each answered before it is learned; tasks in the end."""
    start = perf_counter()
    outcome = evaluate_prequential(estimator, tasks, X_train, y_train, X_test, y_test)
    seconds = perf_counter() - start
    matrix = np.full((len(tasks), len(tasks)), np.nan)
    right = outcome.estimator.predict(X_test) == y_test
    matrix[-1] = [right[test].mean() for _, test in tasks]
    return outcome, {
        "accuracy_matrix": matrix.round(6).tolist(),
        "n_test": [len(test) for _, test in tasks],
        "fit_time": [round(seconds, 4)],
        "score_time": [],
        "anytime": {
            "n_seen": outcome.n_seen.tolist(),
            "test": outcome.test_accuracy.round(6).tolist(),
            "prequential": outcome.accuracy[outcome.n_seen - 1].round(6).tolist(),
        },
    }


def packed(correct):
    """Booleans as text, eight in a byte."""
    return base64.b64encode(np.packbits(correct)).decode()


def unpacked(text, n):
    """The first n of packed booleans."""
    bits = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.unpackbits(bits, count=n).astype(bool)


class Novelty:
    """Area under the ROC curve of ``score_samples``: classes seen against classes to come."""

    def __init__(self, tasks, X_test):
        self.tasks, self.X_test, self.areas = tasks, X_test, []

    def __call__(self, t, estimator):
        """After task t; the last one leaves no class to come."""
        if t + 1 < len(self.tasks) and hasattr(estimator, "score_samples"):
            seen = np.zeros(len(self.X_test), dtype=bool)
            for _, test in self.tasks[: t + 1]:
                seen[test] = True
            self.areas.append(roc_auc_score(seen, estimator.score_samples(self.X_test)))

    def mean(self):
        return {"novelty": float(np.mean(self.areas))} if self.areas else {}


def _prepared(stream, module, definition):
    """A function of the seed that makes the estimator, and what it learns and is tested on."""
    if hasattr(module, "adapt"):
        dataset = stream.dataset
        return partial(module.adapt, stream.encoder), dataset.train, dataset.test
    X_train, X_test, sizes = stream.features(**definition)
    return partial(module.make, sizes), X_train, X_test


def _answers(estimator, X_test, y_test):
    """How good the probabilities are after the last task."""
    if not hasattr(estimator, "predict_proba") or np.setdiff1d(y_test, estimator.classes_).size:
        return {}
    codes = np.searchsorted(estimator.classes_, y_test)
    error, loss = calibration.errors(estimator.predict_proba(X_test), codes)
    return {"calibration_error": float(error), "log_loss": float(loss)}


def _joint_gap(estimator, learned, X_train, y_train, X_test, y_test):
    """Accuracy that one fit on all samples has more, where a ridge is fixed."""
    if not isinstance(getattr(estimator, "ridge", None), Real):
        return {}
    joint = estimator.fit(X_train, y_train).score(X_test, y_test)
    return {"joint_gap": float(joint - learned.score(X_test, y_test))}


def environment():
    """Date, versions, BLAS and processor."""
    gpu = "none"
    try:
        import torch

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    except ImportError:
        pass
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "blas": sorted(
            {f"{b['internal_api']} {b['version']}, {b['num_threads']} threads" for b in blas}
        ),
        "cpu": f"{platform.machine()}, {joblib.cpu_count()} cores",
        "gpu": gpu,
    }


def _write(path, result):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    text = json.dumps(result, indent=1, allow_nan=True)
    partial.write_text(_on_one_line(text))
    os.replace(partial, path)


def _on_one_line(text):
    """Rows of numbers on one line each."""
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)


def load(folder):
    """All results: {stream: {method: result}}, accuracy matrices as arrays."""
    found = {}
    for path in sorted(folder.glob("*/*.json")):
        result = json.loads(path.read_text())
        for order in result["orders"].values():
            order["accuracy_matrix"] = np.array(order["accuracy_matrix"], dtype=float)
        found.setdefault(result["stream"], {})[result["method"]] = result
    return found
