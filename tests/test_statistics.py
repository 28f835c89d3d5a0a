import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from _helpers import SUMS, assert_same_sums
from layup_sklearn import ClassStatistics

LABELS = {"int": [3, -1, 7], "str": ["b", "a", "cc"], "bool": [True, False, True]}


def make_samples(n_samples=20):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n_samples, 4)), rng.integers(0, 3, n_samples)
    return X, y, rng.uniform(0, 2, n_samples)


@pytest.fixture
def samples():
    return make_samples()


@pytest.mark.parametrize("n_samples", [20, 2500])  # in one chunk, in three
def test_sums_are_their_definitions(n_samples):
    X, y, weight = make_samples(n_samples)
    statistics = ClassStatistics.from_samples(X, y, weight)
    onehot = (y[:, np.newaxis] == statistics.classes).astype(float)
    S = np.diag(weight)
    assert_allclose(statistics.gram, X.T @ S @ X, rtol=1e-11, atol=1e-11)
    assert_allclose(statistics.class_sum, onehot.T @ S @ X, rtol=1e-11, atol=1e-11)
    assert_allclose(statistics.class_count, onehot.T @ weight)
    assert_array_equal(statistics.gram, statistics.gram.T)
    assert statistics.n_features == 4
    lists = ClassStatistics.zeros([0, 1, 2], 4).add_samples(X.tolist(), y.tolist(), weight.tolist())
    assert_same_sums(lists, statistics)


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
    assert_same_sums(total, joint)
    batches = [(X[part], y[part], np.ones(len(part))) for part in parts]
    empty = ClassStatistics.zeros(joint.classes, 4)
    assert_same_sums(empty.add_batches(batches), joint)


def test_subtraction_undoes_addition(samples):
    X, y, weight = samples
    a = ClassStatistics.from_samples(X[:12], y[:12], weight[:12])
    b = ClassStatistics.from_samples(X[12:], y[12:], weight[12:])
    assert_same_sums(a + b - b, a)
    assert_same_sums((a + b).add_samples(X[12:], y[12:], weight[12:], sign=-1.0), a)


def test_a_new_class_is_a_zero_row(samples):
    X, y, _ = samples
    statistics = ClassStatistics.from_samples(X, y)
    wider = statistics.with_classes(np.array([-5, 0, 1, 2, 9]))
    assert np.shares_memory(wider.gram, statistics.gram)
    assert_array_equal(wider.class_sum[[1, 2, 3]], statistics.class_sum)
    assert not wider.class_sum[[0, 4]].any()
    assert_array_equal(wider.class_count, [0, *statistics.class_count, 0])


def test_records_never_change(samples):
    X, y, weight = samples
    statistics = ClassStatistics.from_samples(X, y)
    before = pickle.dumps(statistics)
    statistics.add_samples(X, y), statistics + statistics, statistics - statistics
    statistics.with_classes(np.array([0, 1, 2, 3])).add_samples(X, y + 1, weight)
    assert pickle.dumps(statistics) == before
    others = [
        ClassStatistics.zeros([0, 1], 4),
        statistics + statistics,
        statistics.with_classes(np.array([1])),
        pickle.loads(before),
    ]
    for each in (statistics, *others):
        for name in ("classes", *SUMS):
            assert not getattr(each, name).flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                getattr(each, name)[...] = 0
        with pytest.raises(AttributeError):
            each.gram = None


def test_arrays_of_the_caller_are_copied(samples):
    X, y, _ = samples
    arrays = np.array([0, 1]), np.eye(3), np.ones((2, 3)), np.ones(2)
    statistics = ClassStatistics(*arrays)
    for array in arrays:
        array[...] = 7  # still writeable, and no part of the record
    assert_array_equal(statistics.classes, [0, 1])
    assert_array_equal(statistics.gram, np.eye(3))
    assert (statistics.class_sum == 1).all() and (statistics.class_count == 1).all()


def test_the_type_of_the_sums_is_that_of_the_left_record(samples):
    X, y, _ = samples
    double = ClassStatistics.from_samples(X, y)
    single = ClassStatistics.zeros(double.classes, 4, np.float32)
    for each in (single + double, single.add_samples(X, y)):
        assert each.gram.dtype == each.class_sum.dtype == np.float32
        assert_same_sums(each, double, rtol=1e-6)
    assert (double + single).gram.dtype == np.float64


def test_a_pickle_holds_one_triangle():
    X = np.random.default_rng(0).standard_normal((9, 200))
    statistics = ClassStatistics.from_samples(X, np.arange(9) % 2)
    content = pickle.dumps(statistics)
    assert len(content) < 0.6 * statistics.gram.nbytes
    again = pickle.loads(content)
    for name in ("classes", *SUMS):
        assert_array_equal(getattr(again, name), getattr(statistics, name))


def test_feature_spaces_and_label_kinds_do_not_mix(samples):
    X, y, _ = samples
    statistics = ClassStatistics.from_samples(X, y)
    with pytest.raises(ValueError, match="4 and of 3 features"):
        statistics + ClassStatistics.from_samples(X[:, :3], y)
    with pytest.raises(ValueError, match="of one kind"):
        statistics + ClassStatistics.from_samples(X, y.astype(str))
    with pytest.raises(ValueError, match="Label 9 is not among the classes"):
        statistics.add_samples(X[:2], [1, 9])
    with pytest.raises(ValueError, match="20 rows and y 19 labels"):
        statistics.add_samples(X, y[1:])
