import copy
import pickle
import tracemalloc
from collections import deque
from io import BytesIO
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from _helpers import LABELS, Layers, assert_same_sums, make_samples, state
from layup_sklearn import PAPER_RIDGES, ClassStatistics, LayUPClassifier
from layup_sklearn import Layers as ReadyLayers

CONFIGURATIONS = [
    LayUPClassifier(),
    LayUPClassifier(ridge=1.0),
    LayUPClassifier(cv=3),
    LayUPClassifier(cv=4, ridges=PAPER_RIDGES),
    LayUPClassifier(n_layers=1, ridges=[0.1, 1.0, 10.0]),
    LayUPClassifier(FunctionTransformer(validate=True)),
    LayUPClassifier(rule="gaussian", priors="uniform"),
]


@parametrize_with_checks(CONFIGURATIONS)
def test_scikit_learn_battery(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=str)
def test_battery_is_complete(estimator):
    assert len(list(estimator_checks_generator(estimator))) >= 55


# exactness


@given(
    cuts=st.sets(st.integers(1, 39)),
    seed=st.integers(0, 999),
    kind=st.sampled_from([*LABELS]),
    wide=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_cut_in_any_order_is_the_joint_fit(cuts, seed, kind, wide):
    X, y = make_samples(40, 60 if wide else 5, LABELS[kind], seed=seed)
    joint = LayUPClassifier().fit(X, y)
    stream = LayUPClassifier()
    for part in np.split(np.random.default_rng(seed).permutation(40), sorted(cuts)):
        stream.partial_fit(X[part], y[part])
    assert_array_equal(stream.classes_, joint.classes_)
    assert_same_sums(stream.statistics_, joint.statistics_)
    assert stream.ridge_ == joint.ridge_
    assert_array_equal(stream.predict(X), joint.predict(X))


@given(seed=st.integers(0, 999), cv=st.sampled_from([None, 3]))
@settings(max_examples=40, deadline=None)
def test_zero_weight_is_a_removed_row_and_two_a_repeated_one(seed, cv):
    X, y = make_samples(seed=seed)
    times = np.random.default_rng(seed).integers(0, 3, len(y))
    times[:8] = 1
    weighted = LayUPClassifier(ridge=0.5).fit(X, y, sample_weight=times)
    repeated = LayUPClassifier(ridge=0.5).fit(X.repeat(times, axis=0), y.repeat(times))
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9, atol=1e-12)
    removed = LayUPClassifier(cv=cv).fit(X[times > 0], y[times > 0])
    zeroed = LayUPClassifier(cv=cv).fit(X, y, sample_weight=(times > 0).astype(float))
    assert zeroed.ridge_ == removed.ridge_
    assert_array_equal(zeroed.coef_, removed.coef_)


def test_labels_are_those_of_ridge_classifier_and_scores_those_of_ridge():
    X, y = make_samples(60)
    ours = LayUPClassifier(ridge=2.0, rule="ridge").fit(X, y)
    reference = RidgeClassifier(alpha=2.0, fit_intercept=False).fit(X, y)
    assert_array_equal(ours.predict(X), reference.predict(X))
    scores = Ridge(alpha=2.0, fit_intercept=False).fit(X, np.eye(4)[y]).predict(X)
    assert_allclose(ours.decision_function(X), scores, rtol=1e-9, atol=1e-12)


def test_two_classes_score_like_ridge_classifier():
    X, y = make_samples(60, labels=["no", "yes"])
    ours = LayUPClassifier(ridge=2.0, rule="ridge").fit(X, y)
    reference = RidgeClassifier(alpha=2.0, fit_intercept=False).fit(X, y)
    assert_allclose(ours.decision_function(X), reference.decision_function(X), rtol=1e-9)


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_single_precision_sums_are_close(seed):
    X, y = make_samples(seed=seed)
    single = LayUPClassifier(ridge=1.0, dtype="float32").fit(X, y).partial_fit(X[:1], y[:1])
    double = LayUPClassifier(ridge=1.0).fit(X, y).partial_fit(X[:1], y[:1])
    assert single.statistics_.gram.dtype == np.float32
    assert single.statistics_.gram.nbytes * 2 == double.statistics_.gram.nbytes
    scores = double.decision_function(X)
    assert_allclose(single.decision_function(X), scores, atol=1e-5 * np.abs(scores).max())


@pytest.mark.parametrize("n_rows", [1, 100])
def test_single_precision_sums_that_would_overflow_are_refused(n_rows):
    X, y = make_samples()
    classifier = LayUPClassifier(dtype="float32").fit(X, y)
    before = classifier.statistics_.gram
    with pytest.raises(ValueError, match="too large"):
        classifier.partial_fit(1e20 * X[:1].repeat(n_rows, axis=0), y[:1].repeat(n_rows))
    assert_array_equal(classifier.statistics_.gram, before)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_new_classes_cost_one_more_copy_of_the_sums(call):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 1000)), np.arange(100) % 3
    classifier = LayUPClassifier().fit(X, y)
    size = classifier.statistics_.gram.nbytes
    tracemalloc.start()
    getattr(classifier, call)(X, y + 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * size  # rows of a chunk among it


# streams


def test_only_seen_classes_are_predicted():
    X, y = make_samples()
    classifier = LayUPClassifier().partial_fit(X, -(y + 1), classes=[-9, -4, -3, -2, -1, 5])
    assert_array_equal(classifier.classes_, [-9, -4, -3, -2, -1, 5])
    assert set(classifier.predict(-100 * X)) <= {-4, -3, -2, -1}
    assert (classifier.decision_function(X)[:, [0, 5]] == np.finfo(float).min).all()
    classifier.partial_fit(X + 50, np.full(len(X), 5))
    assert set(classifier.predict(X + 50)) == {5}


def test_one_class_then_two_then_many():
    X, y = make_samples()
    classifier = LayUPClassifier().partial_fit(X[y == 2], y[y == 2])
    assert classifier.decision_function(X).shape == (40, 1)
    assert set(classifier.predict(X)) == {2}
    classifier.partial_fit(X[y == 0], y[y == 0])
    assert classifier.decision_function(X).shape == (40,)
    classifier.partial_fit(X[y == 1], y[y == 1])
    assert classifier.decision_function(X).shape == (40, 3)


@given(seed=st.integers(0, 999), wide=st.booleans())
@settings(max_examples=40, deadline=None)
def test_looking_in_between_changes_nothing(seed, wide):
    X, y = make_samples(20, 100 if wide else 5, seed=seed)
    watched = LayUPClassifier()
    for rows in (slice(0, 3), slice(3, 9), slice(9, 20)):
        watched.partial_fit(X[rows], y[rows])
        watched.predict(X)
    joint = LayUPClassifier().fit(X, y)
    assert watched.ridge_ == joint.ridge_
    assert_array_equal(watched.predict(X), joint.predict(X))


def test_read_only_memory_map_is_never_written(tmp_path):
    X, y = make_samples()
    joblib.dump(LayUPClassifier().fit(X, y), tmp_path / "model")
    classifier = joblib.load(tmp_path / "model", mmap_mode="r")
    classifier.partial_fit(X[:1], y[:1])
    assert classifier.statistics_.class_count.sum() == 41
    again = joblib.load(tmp_path / "model", mmap_mode="r")
    assert again.statistics_.class_count.sum() == 40


def test_fit_forgets():
    X, y = make_samples()
    classifier = LayUPClassifier().fit(X, y).fit(X[:, :3], y == 0)
    assert_array_equal(classifier.classes_, [False, True])
    assert classifier.n_features_in_ == 3


# choice of ridge and layers


def test_choice_by_folds_uses_the_newest_batch_and_the_old_sums():
    X, y = make_samples(80)
    paper = {"cv": StratifiedKFold(4), "ridges": PAPER_RIDGES, "rule": "ridge"}
    classifier = LayUPClassifier(**paper).fit(X[:40], y[:40])
    classifier.partial_fit(X[40:], y[40:])
    old = ClassStatistics.from_samples(X[:40], y[:40])
    best = []
    for ridge in PAPER_RIDGES:
        accuracy = []
        for train, test in StratifiedKFold(4).split(X[40:], y[40:]):
            fold = old + ClassStatistics.from_samples(X[40:][train], y[40:][train])
            W = np.linalg.solve(fold.gram + ridge * np.eye(5), fold.class_sum.T)
            accuracy.append(((X[40:][test] @ W).argmax(axis=1) == y[40:][test]).mean())
        best.append(np.mean(accuracy))
    assert_allclose(classifier.ridge_scores_["score"], best)
    assert classifier.ridge_ == PAPER_RIDGES[np.argmax(best)]


def test_a_batch_too_small_for_folds_keeps_the_earlier_choice():
    X, y = make_samples()
    classifier = LayUPClassifier(cv=4, ridges=[1e-2, 50.0]).fit(X, y)
    ridge = classifier.ridge_
    classifier.partial_fit(X[:1], y[:1])
    assert classifier.ridge_ == ridge
    alone = LayUPClassifier(cv=4).partial_fit(X[:1], y[:1])
    assert alone.ridge_ > 0


def test_folds_with_rare_classes_do_not_warn(recwarn):
    X, y = make_samples(20)
    y[:2] = [7, 8]
    LayUPClassifier(cv=4).fit(X, y)
    assert not recwarn.list


def test_number_of_layers():
    X, y = make_samples()
    classifier = LayUPClassifier(Layers((2, 3)), ridge=1.0).fit(X, y)
    assert classifier.n_layers_ == 2
    classifier.set_params(n_layers=1)
    assert_allclose(classifier.coef_, LayUPClassifier(ridge=1.0).fit(X[:, :2], y).coef_)
    classifier.set_params(n_layers="auto", ridge="auto")
    tried = classifier.ridge_scores_
    best = tried[tried["score"].argmax()]
    assert (classifier.n_layers_, classifier.ridge_) == (best["n_layers"], best["ridge"])
    assert_allclose(classifier.log_evidence_, best["score"], atol=0.1)
    with pytest.raises(ValueError, match="n_layers=3, but the features come in 2 layer"):
        classifier.set_params(n_layers=3).predict(X)


def test_encoder_is_fitted_by_the_first_call_only():
    X, y = make_samples()
    encoder = Layers()
    classifier = LayUPClassifier(encoder).partial_fit(X, y).partial_fit(X, y)
    assert classifier.encoder_.n_fits_ == 1
    assert not hasattr(encoder, "n_fits_")
    scaler = FrozenEstimator(StandardScaler().fit(X))
    scaled = LayUPClassifier(scaler, ridge=1.0).fit(X[:20], y[:20])
    assert_allclose(
        scaled.coef_, LayUPClassifier(ridge=1.0).fit(scaler.transform(X[:20]), y[:20]).coef_
    )


# bad input


BAD_CALLS = {
    "features": (lambda X, y: (X[:, :3], y, None), "X has 3 features, but .* is expecting 5"),
    "nan": (lambda X, y: (np.where(X > 0, np.nan, X), y, None), "NaN"),
    "inf": (lambda X, y: (np.where(X > 0, np.inf, X), y, None), "infinity"),
    "empty": (lambda X, y: (X[:0], y[:0], None), "0 sample"),
    "lengths": (lambda X, y: (X, y[1:], None), "inconsistent numbers of samples"),
    "no y": (lambda X, y: (X, None, None), "requires y"),
    "continuous y": (lambda X, y: (X, y + 0.5, None), "continuous"),
    "label kind": (lambda X, y: (X, y.astype(str), None), "of one kind"),
    "zero weights": (lambda X, y: (X, y, 0.0 * y), "sample_weight is zero for every"),
    "negative weight": (lambda X, y: (X, y, -1.0 - y), "[Nn]egative"),
    "huge values": (lambda X, y: (1e200 * X, y, None), "too large"),
    "huge weights": (lambda X, y: (X, y, np.full(len(y), 1e308)), "too large"),
    "label none": (lambda X, y: (X, np.array([None, *y[1:]], object), None), "None at position 0"),
    "nan weight": (lambda X, y: (X, y, np.nan + y), "NaN"),
}


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("call", BAD_CALLS)
def test_bad_input_is_one_clear_error_and_changes_nothing(call, cv):
    X, y = make_samples()
    make_bad, message = BAD_CALLS[call]
    bad_X, bad_y, weight = make_bad(X, y)
    classifier = LayUPClassifier(cv=cv).fit(X, y)
    before = state(classifier)
    with pytest.raises(ValueError, match=message):
        classifier.partial_fit(bad_X, bad_y, sample_weight=weight)
    assert state(classifier) == before
    if call not in ("features", "label kind"):
        for method in ("fit", "partial_fit"):
            fresh = LayUPClassifier(cv=cv)
            with pytest.raises(ValueError, match=message):
                getattr(fresh, method)(bad_X, bad_y, sample_weight=weight)
            assert vars(fresh) == vars(LayUPClassifier(cv=cv))


@pytest.mark.parametrize(
    "parameters",
    [
        {"ridge": -1.0},
        {"ridge": np.nan},
        {"ridge": "best"},
        {"n_layers": 0},
        {"encoder": 3},
        {"cv": 1},
    ],
    ids=str,
)
def test_bad_parameters_are_named(parameters):
    X, y = make_samples()
    with pytest.raises(ValueError, match=f"The {next(iter(parameters))!r} parameter"):
        LayUPClassifier(**parameters).fit(X, y)


@pytest.mark.parametrize("ridges", [[], [1.0, -1.0], [np.nan], [[1.0]], ["a"]], ids=str)
@pytest.mark.parametrize("cv", [None, 3])
def test_bad_candidates_are_named(ridges, cv):
    X, y = make_samples()
    with pytest.raises(ValueError, match="ridges must"):
        LayUPClassifier(ridges=ridges, cv=cv).fit(X, y).predict(X)


def test_the_first_value_that_is_not_finite_is_named():
    X, y = make_samples()
    X[3, 1], X[5, 0] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"contains NaN, first in X\[3, 1\]"):
        LayUPClassifier().fit(X, y)
    with pytest.raises(ValueError, match=r"contains infinity, first in X\[1, 0\]"):
        LayUPClassifier().fit(X[4:], y[4:])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_failure_in_any_chunk_leaves_the_estimator_as_it_was(chunk, error):
    X, y = make_samples(2500)
    classifier = LayUPClassifier(Layers()).fit(X, y)
    classifier.encoder_.set_params(fail_at=chunk, error=error)
    classifier.encoder_.n_calls_ = 0
    before = pickle.dumps(classifier.statistics_)
    with pytest.raises(error, match="told to fail"):
        classifier.partial_fit(X, y + 2)
    assert pickle.dumps(classifier.statistics_) == before

    fresh = LayUPClassifier(Layers(fail_at=chunk, error=error))
    with pytest.raises(error, match="told to fail"):
        fresh.fit(X, y)
    assert set(vars(fresh)) == set(fresh.get_params(deep=False))


@pytest.mark.parametrize("scale", [1e151, 1e200])  # squares near the largest float, and beyond it
@pytest.mark.parametrize("n_rows", [1, 100])
def test_huge_values_are_refused(scale, n_rows):
    X, y = make_samples()
    classifier = LayUPClassifier().fit(X, y)
    before = state(classifier)
    rows = np.arange(n_rows) % 2
    with pytest.raises(ValueError, match="too large"):
        classifier.partial_fit(scale * X[rows], y[rows])
    assert state(classifier) == before


def test_an_encoder_that_loses_rows_is_refused():
    X, y = make_samples()
    loses = FunctionTransformer(lambda X: X[:1])
    with pytest.raises(ValueError, match=r"made 1 row\(s\) of 40 sample"):
        LayUPClassifier(loses).fit(X, y)


def test_another_encoder_wants_a_new_fit_or_is_set_back():
    X, y = make_samples()
    classifier = LayUPClassifier().fit(X, y)
    expected = classifier.predict(X)
    for encoder in (StandardScaler(), make_pipeline(StandardScaler())):
        classifier.set_params(encoder=encoder)
        with pytest.raises(ValueError, match="^encoder was set after the fit"):
            classifier.predict(X)
    assert_array_equal(classifier.set_params(encoder=None).predict(X), expected)
    scaled = LayUPClassifier(encoder).fit(X, y)
    expected = scaled.predict(X)
    scaled.set_params(**scaled.get_params())
    assert_array_equal(scaled.predict(X), expected)
    scaled.set_params(encoder__standardscaler__with_std=False, ridge=1.0)
    with pytest.raises(ValueError, match="^encoder__standardscaler__with_std was set after"):
        scaled.partial_fit(X, y)
    scaled.set_params(encoder__standardscaler__with_std=True, ridge="auto")
    assert_array_equal(scaled.predict(X), expected)
    assert scaled.set_params(encoder=StandardScaler()).fit(X, y).n_samples_seen_ == len(y)


@pytest.mark.parametrize(
    "labels, dtype",
    [
        (np.array([0, 1, 2, 3], object), int),
        (np.array([False, True], object), bool),
        (np.array(["a", "b", "c", "d"], object), object),
        (pd.array([7, 2**53, 2**53 + 1, 2**53 + 2], dtype="Int64"), int),
        (pd.Series(["a", "b", "c", "d"], dtype="category"), object),
        (pd.Series(["a", "b", "c", "d"], dtype="string"), object),
    ],
    ids=str,
)
def test_labels_of_many_types(labels, dtype):
    X, y = make_samples(60)
    y = y % len(labels)
    classifier = LayUPClassifier().fit(X, labels[y])
    assert classifier.classes_.dtype == dtype
    assert len(classifier.classes_) == len(labels)
    codes = LayUPClassifier().fit(X, y).predict(X)
    assert_array_equal(classifier.predict(X), classifier.classes_[codes])
    assert classifier.score(X, labels[y]) == np.mean(codes == y)


def test_labels_that_would_change_in_the_common_type_are_refused():
    X, y = make_samples(6)
    classifier = LayUPClassifier().fit(X[:3], np.array([2**60, 2**60 + 1, 2**60 + 2]))
    with pytest.raises(ValueError, match="2.* of type int64 cannot be kept as float64"):
        classifier.partial_fit(X[:2], [1.0, 2.0])
    with pytest.raises(ValueError, match="between -1 and 18446744073709551615: no type"):
        LayUPClassifier().fit(X[:2], [-1, 2**64 - 1])


@pytest.mark.parametrize("types", [(np.int64, np.uint64), (np.uint64, np.int64)], ids=str)
def test_whole_numbers_of_two_types_stay_whole_numbers(types):
    X, _ = make_samples(6)
    first, second = np.array([7, 2**60 + 1], types[0]), np.array([5, 2**60 + 2], types[1])
    classifier = LayUPClassifier(ridge=1.0).fit(X[:2], first).partial_fit(X[2:4], second)
    assert classifier.classes_.tolist() == [5, 7, 2**60 + 1, 2**60 + 2]
    assert classifier.predict(X[:4]).dtype.kind == "i"
    huge = LayUPClassifier(ridge=1.0).fit(X[:4], [2**63 + 1, 2**63 + 3, 5, 6])
    assert huge.classes_.tolist() == [5, 6, 2**63 + 1, 2**63 + 3]
    assert huge.forget(X[:1], np.array([2**63 + 1], np.uint64)).classes_.tolist()[-1] == 2**63 + 3


@pytest.mark.parametrize("odd", [float("nan"), 7, True, None, b"dog"])
def test_no_label_becomes_text(odd):
    X, _ = make_samples(6)
    y = ["cat", odd, "dog", "cat", "dog", "cat"]
    for labels in (y, tuple(y), pd.Series(y, dtype=object), np.array(y, dtype=object)):
        with pytest.raises(ValueError, match="at position 1"):
            LayUPClassifier(ridge=1.0).fit(X, labels)


def test_weights_in_the_place_of_classes_are_named():
    X, y = make_samples(6)
    with pytest.raises(ValueError, match="classes holds 2.0, a float.*sample_weight"):
        LayUPClassifier().partial_fit(X, y, np.full(6, 2.0))
    with pytest.raises(ValueError, match="classes must be 1-D, one label for each sample, got 10"):
        LayUPClassifier().partial_fit(X, y, classes=10)


@pytest.mark.parametrize(
    "classes, message", [([None], "None at position 0"), ([np.nan], "NaN"), ([[0, 1]], "1d array")]
)
def test_bad_declared_classes_are_named(classes, message):
    X, y = make_samples()
    with pytest.raises(ValueError, match=message):
        LayUPClassifier().partial_fit(X, y, classes=classes)


def test_bad_folds_are_named():
    X, y = make_samples()
    with pytest.raises(ValueError, match=r"cv is the class KFold: give an object, KFold\(\)"):
        LayUPClassifier(cv=KFold).fit(X, y)
    with pytest.raises(ValueError, match="iterator"):
        LayUPClassifier(cv=iter([(np.arange(30), np.arange(30, 40))])).fit(X, y)
    with pytest.raises(ValueError, match="without training or without test"):
        LayUPClassifier(cv=[(np.arange(40), [])]).fit(X, y)
    with pytest.raises(ValueError, match="cv does not suit a call of 40 samples: index 40 is out"):
        LayUPClassifier(cv=[(np.arange(40), np.arange(35, 45))]).fit(X, y)


def test_rows_of_given_folds_count_as_often_as_they_are_named():
    X, y = make_samples(45)
    rng = np.random.default_rng(1)
    weight = np.ones(45)
    weight[:5] = 0
    folds = [(rng.integers(0, 30, 30), rng.integers(-15, 0, 20)) for _ in range(3)]
    classifier = LayUPClassifier(cv=folds, ridges=[1.0]).fit(X, y, weight)
    expected = []
    for train, test in folds:
        fold = LayUPClassifier(ridge=1.0).fit(X[train], y[train], weight[train])
        expected.append(fold.score(X[test], y[test]))
    assert_allclose(classifier.ridge_scores_["score"], np.mean(expected))


@pytest.mark.parametrize("cv", [None, 3, StratifiedKFold(3)], ids=str)
def test_labels_of_bytes_are_no_strings(cv):
    X, y = make_samples(60, labels=[b"a", b"b"])
    classifier = LayUPClassifier(cv=cv).fit(X, y)
    assert set(classifier.predict(X)) <= {b"a", b"b"}
    with pytest.raises(ValueError, match="of one kind"):
        classifier.partial_fit(X, y.astype(str))


def test_evidence_is_the_score_of_what_was_chosen():
    X, y = make_samples(30)  # so few that the prior error shows
    classifier = LayUPClassifier(Layers(), n_layers="auto").fit(X, y)
    scores = classifier.ridge_scores_
    chosen = (scores["n_layers"] == classifier.n_layers_) & (scores["ridge"] == classifier.ridge_)
    assert_allclose(scores["score"][chosen], classifier.log_evidence_)


def test_not_fitted():
    classifier = LayUPClassifier()
    for attribute in ("classes_", "coef_", "ridge_", "n_layers_", "statistics_", "ridge_scores_"):
        assert not hasattr(classifier, attribute)
    with pytest.raises(NotFittedError):
        classifier.predict([[0.0]])


# company


def test_clone_pickle_joblib_and_representation():
    X, y = make_samples()
    classifier = LayUPClassifier(Layers(), n_layers=1).fit(X, y)
    file = BytesIO()
    joblib.dump(classifier, file)
    file.seek(0)
    for other in (pickle.loads(pickle.dumps(classifier)), joblib.load(file)):
        assert_array_equal(other.decision_function(X), classifier.decision_function(X))
        other.partial_fit(X, y)
        assert_allclose(other.statistics_.gram, 2 * classifier.statistics_.gram)
    assert not hasattr(clone(classifier), "statistics_")
    assert "n_layers=1" in repr(classifier)
    assert "LayUPClassifier" in classifier._repr_html_()


def test_grid_search_and_learning_curve():
    X, y = make_samples(80)
    search = GridSearchCV(
        LayUPClassifier(Layers()), {"ridge": [0.1, 10.0], "n_layers": [1, 2]}, error_score="raise"
    ).fit(X, y)
    alone = LayUPClassifier(Layers(), **search.best_params_)
    assert search.best_score_ == cross_val_score(alone, X, y).mean()
    learning_curve(
        LayUPClassifier(), X, y, exploit_incremental_learning=True, cv=3, error_score="raise"
    )


def test_data_frames_and_feature_names():
    X, y = make_samples()
    frame = pd.DataFrame(X, columns=list("abcde"))
    classifier = LayUPClassifier(ridge=1.0).fit(frame, pd.Series(y))
    assert_array_equal(classifier.feature_names_in_, list("abcde"))
    assert_array_equal(classifier.predict(frame), LayUPClassifier(ridge=1.0).fit(X, y).predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.partial_fit(frame[list("edcba")], y)
    classifier.set_params(encoder=FunctionTransformer(lambda X: np.asarray(X)[:, :3])).fit(frame, y)
    assert not hasattr(classifier, "feature_names_in_")
    assert not hasattr(classifier.set_params(encoder=Layers()).fit(X, y), "n_features_in_")


# errors at the first call, and memory


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"ridge": 0.0}, "use ridge >= "),
        ({"ridges": [0.0, 1e-30]}, "use ridge >= "),
        ({"n_layers": 2}, r"n_layers=2, but the features come in 1 layer"),
    ],
    ids=str,
)
def test_what_can_never_be_solved_is_an_error_of_the_first_call(call, parameters, message):
    X, y = make_samples(10, 30)
    classifier = LayUPClassifier(**parameters)
    with pytest.raises(ValueError, match=message):
        getattr(classifier, call)(X, y)
    assert not hasattr(classifier, "statistics_")
    assert vars(classifier) == classifier.get_params()


def test_layers_that_the_encoder_does_not_give_are_an_error_of_the_first_call():
    X, y = make_samples()
    with pytest.raises(ValueError, match="n_layers=3, but the features come in 2 layer"):
        LayUPClassifier(Layers((2, 3)), n_layers=3).partial_fit(X, y)


@pytest.mark.parametrize("scale", [1e15, 1e18, 1e19, 1e25])
def test_single_precision_sums_of_large_features_are_right_or_refused(scale):
    X, y = make_samples()
    try:
        labels = (
            LayUPClassifier(dtype="float32", ridge=scale**2).fit(scale * X, y).predict(scale * X)
        )
    except ValueError as error:
        assert scale > 1e15 and "too large" in str(error)
    else:
        assert_array_equal(labels, LayUPClassifier(ridge=1.0).fit(X, y).predict(X))


def test_counts_of_single_precision_sums_do_not_stop_at_two_to_the_24():
    X, y = make_samples()
    classifier = LayUPClassifier(dtype="float32").fit(X, y, sample_weight=np.full(40, 2.0**24))
    for i in range(3):
        classifier.partial_fit(X[i : i + 1], y[i : i + 1])
    assert classifier.statistics_.n_samples == 40 * 2.0**24 + 3


def test_solutions_of_many_ridges_are_not_kept():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 300)), np.arange(50) % 5
    classifier = LayUPClassifier(ridge=1.0).fit(X, y)
    size = len(pickle.dumps(classifier))
    classifier.partial_fit(X[:2], y[:2]).predict(X)
    tracemalloc.start()
    for ridge in np.geomspace(0.1, 10, 50):
        classifier.set_params(ridge=ridge).predict(X)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 6 * 8 * 300**2  # a few factors, not 50
    assert abs(len(pickle.dumps(classifier)) - size) < 200
    twin = copy.deepcopy(classifier)
    assert_array_equal(twin.predict(X), classifier.predict(X))


def test_candidates_belong_to_the_solution():
    X, y = make_samples()
    classifier = LayUPClassifier(ridges=[1.0]).fit(X, y)
    assert classifier.ridge_ == 1.0
    assert classifier.set_params(ridges=[2.0]).ridge_ == 2.0
    assert classifier.set_params(ridges=[1.0]).ridge_ == 1.0


def test_a_new_fit_does_not_keep_the_choice_made_on_folds():
    X, y = make_samples(200)
    classifier = LayUPClassifier(cv=4, ridges=[1e-3, 1e6]).fit(X, y)
    shuffled = np.random.default_rng(0).permutation(y)
    fresh = LayUPClassifier(cv=4, ridges=[1e-3, 1e6]).fit(X, shuffled)
    assert_array_equal(classifier.fit(X, shuffled).ridge_scores_, fresh.ridge_scores_)
    alone = classifier.fit(X[:1], y[:1])  # too few for folds: by evidence
    assert alone.ridge_ == LayUPClassifier(ridges=[1e-3, 1e6]).fit(X[:1], y[:1]).ridge_


@pytest.mark.parametrize("weight", [None, np.r_[np.ones(20), 0, np.ones(19)]], ids=["all", "some"])
def test_given_folds_keep_their_first_row(weight):
    X, y = make_samples()
    folds = [(np.arange(1, 40), np.array([0])), (np.r_[0, 20:40], np.arange(1, 20))]
    classifier = LayUPClassifier(cv=folds, ridges=[1.0]).fit(X, y, weight)
    scores = []
    for train, test in folds:
        fold = LayUPClassifier(ridge=1.0).fit(
            X[train], y[train], weight if weight is None else weight[train]
        )
        scores.append(fold.score(X[test], y[test]))
    assert_allclose(classifier.ridge_scores_["score"], np.mean(scores))


# looking is free


def test_looking_neither_solves_nor_fails():
    X, y = make_samples(10, 30)
    singular = LayUPClassifier(ridge=1.0).fit(X, y).set_params(ridge=0.0)
    with_layers = LayUPClassifier(Layers((2, 3))).fit(X, y).set_params(n_layers=9)
    for classifier in (LayUPClassifier(), singular, with_layers):
        assert "LayUPClassifier" in classifier._repr_html_()
        assert repr(classifier).startswith("LayUPClassifier(")
        assert "coef_" in dir(classifier)
        assert "coef_" not in classifier._repr_html_()


def test_the_display_shows_what_is_known_anyway():
    X, y = make_samples()
    classifier = LayUPClassifier(ridge=1.0).fit(X, y)
    assert "n_features_in_" in classifier._repr_html_() and "coef_" not in classifier._repr_html_()
    classifier.predict(X)
    assert "coef_" in classifier._repr_html_()


# what is no 2-D array of numbers


@pytest.mark.parametrize("column", [list, tuple, deque, pd.Series, "frame"])
def test_columns_of_vectors_are_features(column):
    X, y = make_samples()
    vectors = list(X.astype(np.float32))
    if column == "frame":
        vectors = pd.DataFrame({"embedding": vectors})
    else:
        vectors = column(vectors)
    expected = LayUPClassifier(ridge=1.0).fit(X.astype(np.float32), y)
    assert_array_equal(LayUPClassifier(ridge=1.0).fit(vectors, y).coef_, expected.coef_)


def test_tensors_of_any_float_type_are_features():
    torch = pytest.importorskip("torch")
    X, y = make_samples()
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        tensor = torch.tensor(X).to(dtype).requires_grad_()
        expected = LayUPClassifier(ridge=1.0).fit(tensor.detach().double().numpy(), y)
        found = LayUPClassifier(ridge=1.0).fit(tensor, torch.tensor(y))
        assert_allclose(found.coef_, expected.coef_, rtol=1e-5)
        rows = LayUPClassifier(ridge=1.0).fit(list(tensor), list(y))
        assert_allclose(rows.coef_, expected.coef_, rtol=1e-5)


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((4, 8, 8)),
        np.zeros((4, 8, 8, 3), np.uint8),
        ["a.png"] * 4,
        [Path("a.png")] * 4,
        pd.Series(["a text"] * 4),
        "a text",
        deque([b"x"] * 4),
    ],
    ids=lambda X: f"{type(X).__name__}",
)
def test_images_and_texts_without_an_encoder_are_named(X):
    with pytest.raises(ValueError, match="looks like images or texts, and there is no encoder"):
        LayUPClassifier().fit(X, [0, 1, 0, 1])
    fitted = LayUPClassifier().fit(*make_samples())
    with pytest.raises(ValueError, match="looks like images or texts, and there is no encoder"):
        fitted.predict(X)


def test_layers_of_ready_features_are_chosen_among():
    X, y = make_samples(60, 8)
    classifier = LayUPClassifier(ReadyLayers([2, 6]), n_layers="auto").fit(X, y)
    assert classifier.n_layers_ in (1, 2) and classifier.n_features_in_ == 8
    plain = LayUPClassifier().fit(X[:, :2], y)
    assert_array_equal(classifier.set_params(n_layers=1).predict(X), plain.predict(X[:, :2]))
    both = copy.deepcopy(classifier).merge(classifier)
    assert both.statistics_.n_samples == 120
    with pytest.raises(ValueError, match=r"sizes=\[2, 5\] add up to 7 columns, but X has 8"):
        LayUPClassifier(ReadyLayers([2, 5])).fit(X, y)
    with pytest.raises(ValueError, match=r"sizes=\[0, 8\] must be positive whole numbers"):
        ReadyLayers([0, 8]).fit(X)
    with pytest.raises(ValueError, match="encoders make different features"):
        classifier.merge(LayUPClassifier(ReadyLayers([4, 4])).fit(X, y))


def test_layers_travel_in_files(tmp_path):
    X, y = make_samples(60, 8)
    classifier = LayUPClassifier(ReadyLayers([2, 6]), n_layers=1).fit(X, y)
    classifier.save(tmp_path / "model")
    again = LayUPClassifier.load(tmp_path / "model")
    assert again.encoder_.layer_sizes_ == [2, 6]
    assert_array_equal(again.predict(X), classifier.predict(X))


def test_auto_layers_of_a_pipeline_are_those_of_its_last_step():
    X, y = make_samples(60, 5)
    steps = make_pipeline(FunctionTransformer(), Layers((2, 3)))
    classifier = LayUPClassifier(steps, n_layers="auto").fit(X, y)
    alone = LayUPClassifier(Layers((2, 3)), n_layers="auto").fit(X, y)
    assert classifier.n_layers_ == alone.n_layers_
    assert_array_equal(classifier.ridge_scores_, alone.ridge_scores_)


@pytest.mark.parametrize(
    "encoder", [None, FunctionTransformer(), make_pipeline(Layers((2, 3)), FunctionTransformer())]
)
def test_auto_layers_need_layers(encoder):
    X, y = make_samples(60, 5)
    with pytest.raises(
        ValueError, match="n_layers='auto' chooses among layers, and .* says of none"
    ):
        LayUPClassifier(encoder, n_layers="auto").fit(X, y)
    classifier = LayUPClassifier(encoder).fit(X, y).set_params(n_layers="auto")
    with pytest.raises(ValueError, match="n_layers='auto' chooses among layers"):
        classifier.predict(X)


def test_parameters_of_the_encoder_want_a_new_fit():
    X, y = make_samples(60, 5)
    classifier = LayUPClassifier(Layers((2, 3))).fit(X, y)
    expected = classifier.predict(X)
    classifier.set_params(ridge=1.0, encoder__sizes=(2,))
    for call in (classifier.predict, lambda X: classifier.partial_fit(X, y)):
        with pytest.raises(ValueError, match="^encoder__sizes was set after the fit .* call fit"):
            call(X)
    assert classifier.statistics_.n_samples == 60
    assert classifier.fit(X, y).statistics_.n_features == 2
    classifier.set_params(encoder__sizes=(2, 3), ridge="auto").fit(X, y)
    assert_array_equal(classifier.predict(X), expected)
