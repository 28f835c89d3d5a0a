import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from layup_sklearn import ClassStatistics

LABELS = {"int": [3, -1, 7], "str": ["b", "a", "cc"], "bool": [True, False, True]}


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return rng.standard_normal((20, 4)), rng.integers(0, 3, 20), rng.uniform(0, 2, 20)


def test_sums_are_their_definitions(samples):
    X, y, weight = samples
    statistics = ClassStatistics.from_samples(X, y, weight)
    onehot = (y[:, np.newaxis] == statistics.classes).astype(float)
    S = np.diag(weight)
    assert_allclose(statistics.gram, X.T @ S @ X)
    assert_allclose(statistics.class_sum, onehot.T @ S @ X)
    assert_allclose(statistics.class_count, onehot.T @ weight)
    assert statistics.n_features == 4


@given(cuts=st.sets(st.integers(1, 19)), seed=st.integers(0, 99), kind=st.sampled_from([*LABELS]))
@settings(max_examples=50, deadline=None)
def test_any_cut_in_any_order_sums_to_the_same(cuts, seed, kind):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 4)) * 10.0 ** rng.integers(-3, 4)
    y = np.array(LABELS[kind])[rng.integers(0, 3, 20)]
    joint = ClassStatistics.from_samples(X, y)
    parts = np.split(rng.permutation(20), sorted(cuts))
    total = sum(
        (ClassStatistics.from_samples(X[part], y[part]) for part in parts[1:]),
        start=ClassStatistics.from_samples(X[parts[0]], y[parts[0]]),
    )
    assert_array_equal(total.classes, joint.classes)
    size = np.abs(joint.joint_gram).max()
    assert_allclose(total.joint_gram, joint.joint_gram, rtol=1e-10, atol=1e-13 * size)


def test_subtraction_undoes_addition(samples):
    X, y, weight = samples
    a = ClassStatistics.from_samples(X[:12], y[:12], weight[:12])
    b = ClassStatistics.from_samples(X[12:], y[12:], weight[12:])
    assert_allclose((a + b - b).joint_gram, a.joint_gram, atol=1e-12)


def test_a_new_class_is_a_zero_row(samples):
    X, y, _ = samples
    statistics = ClassStatistics.from_samples(X, y)
    wider = statistics.with_classes(np.array([-5, 0, 1, 2, 9]))
    assert_array_equal(wider.gram, statistics.gram)
    assert_array_equal(wider.class_sum[[1, 2, 3]], statistics.class_sum)
    assert not wider.class_sum[[0, 4]].any()
    assert_array_equal(wider.class_count, [0, *statistics.class_count, 0])


def test_adding_samples_leaves_the_record_unless_told_otherwise(samples):
    X, y, _ = samples
    statistics = ClassStatistics.from_samples(X, y)
    before = statistics.joint_gram.copy()
    twice = statistics.add_samples(X, y)
    assert_array_equal(statistics.joint_gram, before)
    array = statistics.joint_gram
    assert statistics.add_samples(X, y, overwrite=True) is statistics
    assert statistics.joint_gram is array
    assert_array_equal(array, twice.joint_gram)


def test_chunks_are_invisible(samples, monkeypatch):
    X, y, weight = samples
    whole = ClassStatistics.from_samples(X, y, weight)
    monkeypatch.setattr("layup_sklearn._statistics.CHUNK_ROWS", 3)
    in_chunks = ClassStatistics.from_samples(X, y, weight)
    assert_allclose(in_chunks.joint_gram, whole.joint_gram, rtol=1e-13, atol=1e-13)


def test_feature_spaces_and_label_kinds_do_not_mix(samples):
    X, y, _ = samples
    statistics = ClassStatistics.from_samples(X, y)
    with pytest.raises(ValueError, match="4 and of 3 features"):
        statistics + ClassStatistics.from_samples(X[:, :3], y)
    with pytest.raises(ValueError, match="of one kind"):
        statistics + ClassStatistics.from_samples(X, y.astype(str))
