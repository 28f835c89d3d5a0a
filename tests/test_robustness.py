"""Interrupts at any line, failures in any call, many threads, read-only memory."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import layup_sklearn
from layup_sklearn import LayUPClassifier, _classifier, parallel_fit

PACKAGE = os.path.dirname(layup_sklearn.__file__)
X = np.random.default_rng(0).standard_normal((40, 5))
y = np.arange(40) % 4
OTHER = LayUPClassifier(StandardScaler()).fit(X, y + 2)
OTHER.encoder_ = None

CALLS = {
    "fit": lambda c, path: c.fit(X[:30], y[:30]),
    "partial_fit": lambda c, path: c.partial_fit(X, y + 1),
    "partial_fit, weights": lambda c, path: c.partial_fit(X, y, [9], np.arange(40)),
    "partial_fit, in place": lambda c, path: c.partial_fit(X[:5], y[:5]),
    "forget": lambda c, path: c.forget(X[5:25], y[5:25]),
    "merge": lambda c, path: c.merge(OTHER),
    "parallel_fit": lambda c, path: parallel_fit(c, [(X, y + 3), (X[:9], y[:9])]),
    "save": lambda c, path: c.save(path),
    "predict": lambda c, path: c.predict(X),
}


def make_classifier(**parameters):
    return LayUPClassifier(ridge=1.0, **parameters).fit(X, y)


def state(classifier):
    """Everything but the memo of solutions, with the sums as plain arrays of their own."""
    held = {k: v for k, v in vars(classifier).items() if k not in ("_solutions", "statistics_")}
    sums = getattr(classifier, "statistics_", None)
    return joblib.hash(held), sums and sums.classes.tolist(), sums and sums.joint_gram.copy()


def is_same(a, b):
    if a[:2] != b[:2] or a[1] is None:
        return a[:2] == b[:2]
    return a[2].shape == b[2].shape and np.allclose(a[2], b[2], rtol=1e-12, atol=1e-12)


def raise_at_line(number, error):
    """A trace function that raises at the n-th line that runs in the package."""
    left = number

    def trace(frame, event, argument):
        nonlocal left
        if event == "call":
            return trace if frame.f_code.co_filename.startswith(PACKAGE) else None
        if event == "line":
            left -= 1
            if left == 0:
                raise error("injected")
        return trace

    return trace


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", CALLS)
def test_a_failure_at_any_line_leaves_the_old_or_the_new_state(name, error, tmp_path, monkeypatch):
    monkeypatch.setattr("layup_sklearn._classifier.CHUNK_ROWS", 15)
    call, parameters = CALLS[name], {"cv": 2} if name == "partial_fit, weights" else {}
    classifier = make_classifier(**parameters)
    old = state(classifier)
    new = copy.deepcopy(classifier)
    call(new, tmp_path / "model")
    new, labels = state(new), classifier.predict(X)
    number, failed, old_kept = 0, True, 0
    while failed:
        number += 1
        classifier = make_classifier(**parameters)
        before = sys.gettrace()
        sys.settrace(raise_at_line(number, error))
        try:
            call(classifier, tmp_path / "model")
            failed = False
        except (error, RuntimeError):  # parallel_fit names the shard
            pass
        finally:
            sys.settrace(before)
        after = state(classifier)
        assert is_same(after, old) or is_same(after, new), number
        if failed and is_same(after, old):
            old_kept = number
            assert_array_equal(classifier.predict(X), labels)
        assert number < 5000
    assert old_kept > 10
    assert is_same(after, new)
    assert os.listdir(tmp_path) in ([], ["model"])


@pytest.mark.parametrize("name", ["fit", "partial_fit", "parallel_fit"])
def test_a_first_call_that_fails_at_any_line_leaves_the_estimator_unfitted(name):
    parameters = LayUPClassifier(StandardScaler()).get_params(deep=False)
    number, failed = 0, True
    while failed:
        number += 1
        fresh = LayUPClassifier(StandardScaler())
        sys.settrace(raise_at_line(number, KeyboardInterrupt))
        try:
            CALLS[name](fresh, None)
            failed = False
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        assert set(vars(fresh)) == set(parameters) or hasattr(fresh, "statistics_")
        assert not hasattr(fresh, "statistics_") or fresh.predict(X).shape == (40,)
    assert hasattr(fresh, "statistics_") and number > 20


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("method", ["partial_fit", "forget", "parallel_fit", "predict"])
def test_an_encoder_that_fails_in_any_chunk_changes_nothing(method, chunk, error, monkeypatch):
    monkeypatch.setattr("layup_sklearn._classifier.CHUNK_ROWS", 15)
    calls = []

    def encode(X):
        calls.append(len(X))
        if len(calls) == chunk:
            raise error("told to fail")
        return X

    classifier = LayUPClassifier(FunctionTransformer(encode), ridge=1.0)
    calls.extend([0] * 10)
    classifier.fit(X, y)
    old = classifier.statistics_.joint_gram.copy()
    held = {k: v for k, v in vars(classifier).items() if k != "_solutions"}
    calls.clear()
    with pytest.raises((error, RuntimeError), match="told to fail"):
        if method == "parallel_fit":
            parallel_fit(classifier, [(X, y), (X, y)])
        else:
            getattr(classifier, method)(*(X, y)[: 1 if method == "predict" else 2])
    assert {k: v for k, v in vars(classifier).items() if k != "_solutions"} == held
    assert_array_equal(classifier.statistics_.joint_gram, old)


@pytest.mark.parametrize("parameters", [{}, {"cv": 2}, {"ridge": 1.0}], ids=str)
def test_many_threads_predict_at_once(parameters):
    labels = LayUPClassifier(**parameters).fit(X, y).predict(X)
    scores = LayUPClassifier(**parameters).fit(X, y).decision_function(X)
    for _ in range(10):
        classifier, barrier = LayUPClassifier(**parameters).fit(X, y), Barrier(8)

        def predict(i, classifier=classifier, barrier=barrier):
            barrier.wait()
            return classifier.predict(X) if i % 2 else classifier.decision_function(X)

        with ThreadPoolExecutor(8) as pool:
            for i, result in enumerate(pool.map(predict, range(8))):
                assert_array_equal(result, labels if i % 2 else scores)


def test_threads_predict_while_one_learns():
    classifier = make_classifier()
    expected = {}
    for n in range(30):
        reference = make_classifier().partial_fit(X.repeat(n, axis=0), y.repeat(n)) if n else None
        expected[n] = (reference or make_classifier()).decision_function(X)
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(classifier.decision_function, X)]
        for _ in range(29):
            classifier.partial_fit(X, y)
            results.append(pool.submit(classifier.decision_function, X))
    for result in results:
        assert min(np.abs(result.result() - e).max() for e in expected.values()) < 1e-8


class Holding(StandardScaler):
    """Holds the sums of a classifier from its transform on."""

    def transform(self, X):
        if hasattr(CLASSIFIERS[0], "statistics_"):
            HELD.append(CLASSIFIERS[0].statistics_)
        return super().transform(X)


CLASSIFIERS, HELD = [None], []


def test_sums_that_someone_takes_hold_of_meanwhile_stay():
    CLASSIFIERS[0] = LayUPClassifier(Holding(), ridge=1.0)
    CLASSIFIERS[0].fit(X, y)
    before = CLASSIFIERS[0].statistics_.gram
    CLASSIFIERS[0].partial_fit(X[:5], y[:5])
    assert_array_equal(HELD[0].gram, before)
    HELD.clear()


@pytest.mark.parametrize("take", [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_wait_for_the_end_of_an_update(take, monkeypatch):
    classifier, copies = make_classifier(), []
    add_in_place = _classifier._add_in_place

    def while_another_copies(statistics, *args):
        statistics.joint_gram[0, 0] += 1  # half an update
        copies.append(pool.submit(take, classifier))
        wait(copies, timeout=0.2)
        statistics.joint_gram[0, 0] -= 1
        add_in_place(statistics, *args)

    joint = make_classifier().partial_fit(X[:5], y[:5])
    monkeypatch.setattr(_classifier, "_add_in_place", while_another_copies)
    with ThreadPoolExecutor() as pool:
        classifier.partial_fit(X[:5], y[:5])
    taken = copies[0].result()
    taken = pickle.loads(taken) if isinstance(taken, bytes) else taken
    assert_allclose(taken.statistics_.gram, joint.statistics_.gram)


FORK = """
import os, signal, threading
import numpy as np
from layup_sklearn import LayUPClassifier, _classifier

classifier = LayUPClassifier(ridge=1.0).fit(np.eye(3), [0, 1, 2])
learning, forked = threading.Event(), threading.Event()


def learn():
    with _classifier._lock_of(classifier):
        learning.set()
        forked.wait()


thread = threading.Thread(target=learn)
thread.start()
learning.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    classifier.predict(np.eye(3))
    os._exit(0)
forked.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_forked_while_a_thread_learns_can_predict():
    result = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_a_thread_that_looks_during_an_update_sees_the_sums_after_it(monkeypatch):
    classifier, looks = make_classifier(), []
    add_in_place = _classifier._add_in_place

    def while_another_looks(*args):
        looks.append(pool.submit(classifier.decision_function, X))
        wait(looks, timeout=0.2)  # it may not end before the update does
        add_in_place(*args)

    joint = make_classifier().partial_fit(X[:5], y[:5])
    monkeypatch.setattr(_classifier, "_add_in_place", while_another_looks)
    with ThreadPoolExecutor() as pool:
        classifier.partial_fit(X[:5], y[:5])
    assert_allclose(looks[0].result(), joint.decision_function(X))
    assert_allclose(classifier.coef_, joint.coef_)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_read_only_memory_maps_are_read_and_never_written(dtype, tmp_path):
    np.save(tmp_path / "X.npy", X.astype(dtype))
    np.save(tmp_path / "weight.npy", np.ones(40))
    data = np.load(tmp_path / "X.npy", mmap_mode="r")
    weight = np.load(tmp_path / "weight.npy", mmap_mode="r")
    content = (tmp_path / "X.npy").read_bytes()
    classifier = LayUPClassifier(ridge=1.0).fit(data, y, weight)
    classifier.partial_fit(data, y).forget(data, y, weight).predict(data)
    parallel_fit(classifier, [(data, y), (data, y, weight)], n_jobs=2)
    assert_allclose(classifier.statistics_.gram, 3 * data.astype(float).T @ data, atol=1e-4)
    assert (tmp_path / "X.npy").read_bytes() == content

    joblib.dump(make_classifier(), tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not mapped.statistics_.joint_gram.flags.writeable
    for call in CALLS.values():
        mapped = joblib.load(tmp_path / "model", mmap_mode="r")
        expected = make_classifier()
        call(mapped, tmp_path / "saved"), call(expected, tmp_path / "saved")
        assert_array_equal(mapped.decision_function(X), expected.decision_function(X))
    assert (tmp_path / "model").read_bytes() == content
