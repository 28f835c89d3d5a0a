from inspect import signature

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge

from benchmarks import methods, runs
from benchmarks.methods.afl import AFL
from benchmarks.methods.loranpac import LoRanPAC

ORDER_FREE = [name for name in methods.names() if methods.is_order_free(name)]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:500].astype(np.float32) - X.mean(axis=0, dtype=np.float32), y[:500]


def learned(name, X, y, order, seed=0):
    """A method after calls of two classes each; random features are 300, for time."""
    model = methods.get(name).make([X.shape[1]], seed)
    for parameter in {"n_components", "encoder__n_components"} & set(model.get_params()):
        model.set_params(**{parameter: 300})
    every = (
        {"classes": np.sort(order)} if "classes" in signature(model.partial_fit).parameters else {}
    )
    for classes in np.split(np.asarray(order), 5):
        new = np.isin(y, classes)
        model.partial_fit(X[new], y[new], **every)
    return model


@pytest.mark.parametrize("name", ORDER_FREE)
def test_the_order_says_nothing(name, digits):
    X, y = digits
    shuffled = np.random.RandomState(0).permutation(300)
    one = learned(name, X[:300], y[:300], np.arange(10))
    other = learned(name, X[shuffled], y[shuffled], [3, 9, 0, 5, 1, 8, 7, 2, 6, 4], seed=1)
    assert_array_equal(one.predict(X[300:]), other.predict(X[300:]))


def test_afl_is_one_ridge_regression_of_all_clients_samples(digits):
    X, y = digits
    parts = np.split(np.arange(300), [50, 60, 200])
    model, clean = AFL(gamma=2.0, clean=False), AFL(gamma=2.0)
    for rows in parts:
        model.partial_fit(X[rows], y[rows])
        clean.partial_fit(X[rows], y[rows])
    Y = np.eye(10)[y[:300]]
    joint = Ridge(alpha=2.0 * len(parts), fit_intercept=False).fit(X[:300].astype(float), Y)
    model.predict(X[300:])
    assert_allclose(model.coef_, joint.coef_.T, atol=1e-10)
    clean.predict(X[300:])  # columns that are always zero: the solution of least norm
    expected = np.linalg.lstsq(X[:300].astype(float), Y, rcond=1e-7)[0]
    assert_allclose(clean.coef_, expected, atol=1e-8)


def test_afl_and_recursive_ridge_are_the_same_with_a_ridge_of_1_of_one_client(digits):
    X, y = digits
    afl = AFL(clean=False).partial_fit(X[:300], y[:300])
    other = methods.get("recursive_ridge").make([64], 0).partial_fit(X[:300], y[:300])
    assert_array_equal(afl.predict(X[300:]), other.predict(X[300:]))


def test_loranpac_without_truncation_is_least_squares(digits):
    X, y = digits
    model = LoRanPAC(n_components=400, truncated=0.0)
    for rows in np.split(np.arange(300), 3):
        model.partial_fit(X[rows], y[rows]).predict(X[:1])
    H = np.maximum(X @ model.weights_, 0).astype(float)
    assert_allclose(H[:300] @ model.coef_, np.eye(10)[y[:300]], atol=1e-2)  # more columns than rows
    expected = np.linalg.lstsq(H[:300], np.eye(10)[y[:300]])[0]
    assert_allclose(H[300:] @ model.coef_, H[300:] @ expected, atol=1e-2)


def test_loranpac_truncates_the_svd_of_one_call(digits):
    X, y = digits
    model = LoRanPAC(n_components=200).partial_fit(X[:100], y[:100])
    model.predict(X[:1])
    H = np.maximum(X[:100] @ model.weights_, 0).astype(float)
    U, s, Vt = np.linalg.svd(H, full_matrices=False)
    expected = Vt[:75].T / s[:75] @ U[:, :75].T @ np.eye(10)[y[:100]]
    assert_allclose(model.coef_, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    assert model.scaled_.shape == (200, 75)
    model.partial_fit(X[100:400], y[100:400]).predict(X[:1])
    assert model.scaled_.shape == (200, 150)  # three quarters of the features


def test_predictions_of_river_are_its_own(digits):
    pytest.importorskip("river")
    X, y = digits
    model = methods.get("river").make([64], 0)
    model.partial_fit(X[:60], y[:60].astype(str)).partial_fit(X[60:90], y[60:90].astype(str))
    own = [model.model_.predict_one(dict(enumerate(x))) for x in X[400:440].tolist()]
    assert_array_equal(model.predict(X[400:440]), own)


def test_a_method_whose_package_is_missing_is_left_out(monkeypatch):
    monkeypatch.setattr(methods.get("river"), "REQUIRES", "no_such_package")
    assert methods.lacks("river", None) == "the package no_such_package"
    assert not methods.suits("river", None) and methods.suits("afl", None)


D, K, N = 64, 10, 300
SAMPLES, SUMS = 4 * N * (D + 1), 8 * (D * D + K * D)
STATE_BYTES = {
    "afl": SUMS,
    "air": 8 * K * (D * D + D + 1),
    "fecam": 4 * K * (D * D + D),
    "joint": SAMPLES,
    "klda": 4 * (300**2 + K * 301),
    "last_layer": SUMS + 8 * K,
    "layup": SUMS + 8 * K,
    "layup_auto": SUMS + 8 * K,
    "layup_fourier": 4 * (300**2 + K * 300) + 8 * K,
    "layup_paper": SUMS + 8 * K,
    "layup_ridge": SUMS + 8 * K,
    "layup_uniform": SUMS + 8 * K,
    "lda": SAMPLES,
    "logistic": SAMPLES,
    "loranpac": 4 * (300 * 225 + 225 + 300 * K),
    "nearest_mean": 4 * K * (D + 1),
    "neighbors": SAMPLES,
    "randumb": 8 * (300**2 + K * 301),
    "ranpac": 4 * 300 * (300 + K),
    "recursive_ridge": SUMS + 8 * K,
    "river": 8 * (K * D + 2 * D),
    "sgd": 4 * K * (D + 1),
    "streaming_lda": 4 * (D * D + K * (D + 1)),
}


def test_every_method_says_what_it_keeps():
    adapted = {name for name in methods.names() if hasattr(methods.get(name), "adapt")}
    assert STATE_BYTES.keys() == set(methods.names()) - adapted


@pytest.mark.parametrize("name", sorted(STATE_BYTES))
def test_bytes_of_the_state(name, digits):
    if methods.lacks(name, None):
        pytest.skip(f"needs {methods.lacks(name, None)}")
    X, y = digits
    model = learned(name, X[:N], y[:N], np.arange(10))
    model.predict(X[:1])
    assert methods.state_bytes(model) == STATE_BYTES[name]


@given(st.lists(st.booleans(), min_size=1))
def test_packed_outcomes_come_back(correct):
    assert runs.unpacked(runs.packed(np.array(correct)), len(correct)).tolist() == correct
