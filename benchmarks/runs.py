"""One result file for each stream and method, written anew after every order."""

import json
import os
import platform
import re
from datetime import date
from importlib.metadata import version

import joblib
import numpy as np
from threadpoolctl import threadpool_info

from layup_sklearn.evaluation import evaluate_continual, online_batches

from . import methods
from .streams import FIRST_SEED

PACKAGES = ["layup_sklearn", "scikit-learn", "numpy", "scipy", "torch", "timm"]


def run(stream, method, n_orders, folder, online=None):
    """Learn a stream with a method in several orders; orders that are there are kept.

    Parameters
    ----------
    stream : Stream
    method : str
    n_orders : int
        Seeds 1993, 1994, ...
    folder : Path
        Of the result files.
    online : int, default=None
        Size of the batches of a single pass; None: whole tasks.

    Returns
    -------
    path : Path
        Of the result file.
    """
    module = methods.get(method)
    name = f"{stream.name}_online{online}" if online else stream.name
    path = folder / name / f"{method}.json"
    result = json.loads(path.read_text()) if path.exists() else {"stream": name, "method": method}
    result.setdefault("orders", {})
    X_train, X_test, sizes = stream.features(**module.FEATURES)
    for seed in range(FIRST_SEED, FIRST_SEED + n_orders):
        if str(seed) in result["orders"]:
            continue
        tasks = stream.tasks(seed)
        if online:
            tasks = online_batches(tasks, online, random_state=seed)
        outcome = evaluate_continual(
            module.make(sizes, seed),
            tasks,
            X_train,
            stream.dataset.y_train,
            X_test,
            stream.dataset.y_test,
        )
        result["orders"][str(seed)] = {
            "accuracy_matrix": outcome.accuracy_matrix.round(6).tolist(),
            "n_test": outcome.n_test.tolist(),
            "fit_time": outcome.fit_time.round(4).tolist(),
            "score_time": outcome.score_time.round(4).tolist(),
        }
        result["n_features"] = int(X_train.shape[1])
        result["environment"] = environment()
        _write(path, result)
        print(
            f"{name:24} {method:16} order {seed}: final {100 * outcome.final_accuracy:.1f}, "
            f"average {100 * outcome.average_accuracy:.1f}, {outcome.fit_time.sum():.1f} s",
            flush=True,
        )
    return path


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
