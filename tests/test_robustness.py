"""A call happens or it does not: failures at any line, signals, threads, forks, memory maps."""

import copy
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import layup_sklearn
from _helpers import assert_same_sums, facts, sums
from layup_sklearn import LayUPClassifier, parallel_fit

PACKAGE = os.path.dirname(layup_sklearn.__file__)
X = np.random.default_rng(0).integers(-9, 9, (40, 5)).astype(float)  # sums of integers are exact
y = np.arange(40) % 4
OTHER = LayUPClassifier().fit(X, y + 2)

CALLS = {
    "fit": lambda c, path: c.fit(X[:30], y[:30]),
    "partial_fit": lambda c, path: c.partial_fit(X, y + 1),
    "partial_fit, many rows": lambda c, path: c.partial_fit(X.repeat(8, axis=0), y.repeat(8)),
    "partial_fit, weights": lambda c, path: c.partial_fit(X, y, [9], np.arange(40)),
    "forget": lambda c, path: c.forget(X[5:25], y[5:25]),
    "merge": lambda c, path: c.merge(OTHER),
    "parallel_fit": lambda c, path: parallel_fit(c, [(X, y + 3)]),
    "save": lambda c, path: c.save(path),
    "predict": lambda c, path: c.predict(X),
}


def make_classifier(**parameters):
    """Of 40 samples in the sums and two that wait."""
    classifier = LayUPClassifier(ridge=1.0, **parameters).fit(X[2:], y[2:])
    return classifier.partial_fit(X[:2], y[:2])


def state(classifier):
    return facts(classifier), sums(classifier)


def is_same(a, b):
    return a[0] == b[0] and all(np.array_equal(a[1][name], b[1][name]) for name in a[1])


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


def failed_at_line(number, error, call, *args):
    before = sys.gettrace()
    sys.settrace(raise_at_line(number, error))
    try:
        call(*args)
    except (error, RuntimeError):  # parallel_fit names the shard
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", CALLS)
def test_a_failure_at_any_line_leaves_the_old_or_the_new_state(name, error, tmp_path):
    call, parameters = CALLS[name], {"cv": 2} if name == "partial_fit, weights" else {}
    path = tmp_path / "model"
    old, new = make_classifier(**parameters), make_classifier(**parameters)
    call(new, path)
    old_state, new_state, labels = state(old), state(new), old.predict(X)
    number, failed, old_kept = 0, True, 0
    while failed:
        number += 1
        classifier = make_classifier(**parameters)
        failed = failed_at_line(number, error, call, classifier, path)
        after = state(classifier)
        assert is_same(after, old_state) or is_same(after, new_state), number
        if failed and is_same(after, old_state):
            old_kept = number
            assert_array_equal(classifier.predict(X), labels)
        assert number < 5000
    assert old_kept > 10
    assert is_same(after, new_state)
    assert os.listdir(tmp_path) in ([], ["model"])


@pytest.mark.parametrize("name", ["fit", "partial_fit", "parallel_fit"])
def test_a_first_call_that_fails_at_any_line_leaves_the_estimator_unfitted(name):
    parameters = LayUPClassifier(StandardScaler()).get_params(deep=False)
    number, failed = 0, True
    while failed:
        number += 1
        fresh = LayUPClassifier(StandardScaler())
        failed = failed_at_line(number, KeyboardInterrupt, CALLS[name], fresh, None)
        assert set(vars(fresh)) == set(parameters) or hasattr(fresh, "statistics_")
        assert not hasattr(fresh, "statistics_") or fresh.predict(X).shape == (40,)
    assert hasattr(fresh, "statistics_") and number > 20


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("method", ["partial_fit", "forget", "parallel_fit", "predict"])
def test_an_encoder_that_fails_in_any_chunk_changes_nothing(method, chunk, error):
    many, labels = X.repeat(63, axis=0), y.repeat(63)  # three chunks
    calls = []

    def encode(X):
        calls.append(len(X))
        if len(calls) == chunk:
            raise error("told to fail")
        return X

    classifier = LayUPClassifier(FunctionTransformer(encode), ridge=1.0)
    calls.extend([0] * 10)
    classifier.fit(many, labels)
    before, known = sums(classifier), classifier.__dict__.copy()
    calls.clear()
    with pytest.raises((error, RuntimeError), match="told to fail"):
        if method == "parallel_fit":
            parallel_fit(classifier, [(many, labels)])
        else:
            getattr(classifier, method)(*(many, labels)[: 1 if method == "predict" else 2])
    assert classifier.__dict__ == known
    assert is_same((None, sums(classifier)), (None, before))


# signals


def interrupted(signal_number, frame):
    raise KeyboardInterrupt


def learn_until_interrupted(classifier, seconds, call):
    """Whether the signal came during the call, or right after it."""
    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            call(classifier, None)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    finally:
        signal.signal(signal.SIGALRM, before)
    return False


def check_signals(n_rounds):
    rng, n_interrupted = np.random.default_rng(0), 0
    names = ["fit", "partial_fit", "partial_fit, many rows", "forget", "merge"]
    old = state(make_classifier())
    for i in range(n_rounds):
        call, new = CALLS[names[i % 5]], make_classifier()
        call(new, None)
        classifier = make_classifier()
        n_interrupted += learn_until_interrupted(classifier, rng.uniform(5e-6, 1e-3), call)
        after = state(classifier)
        assert is_same(after, old) or is_same(after, state(new)), (i, names[i % 5])
        assert classifier.predict(X).shape == (40,)
    return n_interrupted


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_a_signal_at_any_moment_leaves_the_old_or_the_new_state():
    assert check_signals(100) > 10


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_many_signals_at_random_moments():
    assert check_signals(1000) > 100


# threads


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
    expected = [make_classifier().decision_function(X)]
    for n in range(1, 30):
        reference = make_classifier().partial_fit(X.repeat(n, axis=0), y.repeat(n))
        expected.append(reference.decision_function(X))
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(classifier.decision_function, X)]
        for _ in range(29):
            classifier.partial_fit(X, y)
            results.append(pool.submit(classifier.decision_function, X))
    for result in results:
        assert min(np.abs(result.result() - e).max() for e in expected) < 1e-8


def test_predictions_during_fit_come_from_the_old_or_the_new_model():
    tasks = [(X, y), (-X, y + 7)]
    known = [LayUPClassifier(ridge=1.0).fit(*task).predict(X).tolist() for task in tasks]
    classifier = LayUPClassifier(ridge=1.0).fit(*tasks[0])
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda _: classifier.predict(X).tolist(), range(200))
        for i in range(100):
            classifier.fit(*tasks[1 - i % 2])
        assert all(labels in known for labels in answers)


@pytest.mark.parametrize("n_rows", [1, 300])
def test_of_threads_that_learn_at_once_each_learns_or_says_that_it_did_not(n_rows):
    classifier, barrier = LayUPClassifier(ridge=1.0).fit(X, y), Barrier(4)
    rows, labels = np.resize(X, (n_rows, 5)), np.resize(y, n_rows)

    def learn(_):
        barrier.wait()
        learned = 0
        for _ in range(50):
            try:
                classifier.partial_fit(rows, labels)
                learned += 1
            except RuntimeError as error:
                assert "Another thread has taught this classifier" in str(error)
        return learned

    with ThreadPoolExecutor(4) as pool:
        n_learned = sum(pool.map(learn, range(4)))
    assert n_learned >= 50
    statistics = classifier.statistics_
    assert statistics.class_count.sum() == 40 + n_rows * n_learned
    assert_array_equal(statistics.gram, X.T @ X + n_learned * rows.T @ rows)


def test_a_copy_learns_beside_predictions_and_is_swapped_in():
    serving = LayUPClassifier(ridge=1.0).fit(X, y)
    before = serving.predict(X)
    learning = copy.copy(serving)
    learning.partial_fit(-X, y + 1)
    assert_array_equal(serving.predict(X), before)
    assert serving.statistics_.n_samples == 40
    serving = learning
    assert serving.statistics_.n_samples == 80


@pytest.mark.parametrize(
    "take", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_a_copy_and_its_original_go_their_own_ways(take):
    original = make_classifier()
    original.predict(X)
    twin = take(original)
    twin.partial_fit(X[:3], y[:3]), original.partial_fit(X[3:9], y[3:9])
    for each, rows in ((twin, slice(0, 3)), (original, slice(3, 9))):
        joint = make_classifier().partial_fit(X[rows], y[rows])
        scores = joint.decision_function(X)
        assert_allclose(each.decision_function(X), scores, rtol=1e-9, atol=1e-12)
        assert is_same(state(each), state(joint))


# forks

FORKS = """
import os, signal, sys, threading
import numpy as np
from layup_sklearn import LayUPClassifier

X, y = np.random.default_rng(0).integers(-9, 9, (40, 5)).astype(float), np.arange(40) % 4
classifier = LayUPClassifier(ridge=1.0).fit(X, y)
done = threading.Event()


def learn():
    n = 0
    while not done.is_set():
        n += 1
        classifier.partial_fit(X[:1], y[:1]).predict(X[:1])
        if n % 50 == 0:
            classifier.forget(X[[0] * 49], y[[0] * 49])


thread = threading.Thread(target=learn)
thread.start()
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        n = classifier.statistics_.n_samples - 40
        assert np.array_equal(classifier.statistics_.gram, X.T @ X + n * X[:1].T @ X[:1])
        classifier.partial_fit(X, y).predict(X)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
done.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("n_forks", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_processes_forked_while_a_thread_learns_go_on(n_forks):
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, str(n_forks)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert result.returncode == 0, result.stderr


# memory


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
    for call in CALLS.values():
        mapped = joblib.load(tmp_path / "model", mmap_mode="r")
        expected = make_classifier()
        call(mapped, tmp_path / "saved"), call(expected, tmp_path / "saved")
        assert_allclose(
            mapped.decision_function(X), expected.decision_function(X), rtol=1e-9, atol=1e-12
        )
    assert (tmp_path / "model").read_bytes() == content


def test_what_is_handed_out_cannot_be_written():
    classifier = make_classifier()
    statistics = classifier.statistics_
    handed = [statistics.gram, statistics.class_sum, statistics.class_count, statistics.classes]
    handed += [classifier.coef_, classifier.classes_]
    for array in handed:
        assert not array.flags.writeable
    classifier.ridge_scores_["ridge"] = -1  # of a copy
    assert (classifier.ridge_scores_["ridge"] == 1).all()
    rows, labels = X[:3].copy(), y[:3].copy()
    classifier.partial_fit(rows, labels)
    rows[:], labels[:] = 99, 0
    joint = make_classifier().partial_fit(X[:3], y[:3])
    assert_same_sums(classifier.statistics_, joint.statistics_, rtol=0)
