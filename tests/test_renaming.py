import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from _helpers import LABELS, assert_same_model, make_samples, state
from layup_sklearn import LayUPClassifier

NEW = {"int": [-5, 0, 3, 7, 99], "str": ["b", "a", "", "a long label"], "float": [0.0, 7.0, 1e9]}


@given(data=st.data(), seed=st.integers(0, 99), kind=st.sampled_from([*LABELS]))
@settings(max_examples=60, deadline=None)
def test_is_the_fit_with_the_new_labels(data, seed, kind):
    X, y = make_samples(labels=LABELS[kind], seed=seed)
    weight = np.random.default_rng(seed).uniform(0.1, 2, 40)
    target = data.draw(st.sampled_from([kind] if kind == "str" else ["int", "float"]))
    old = data.draw(st.lists(st.sampled_from(LABELS[kind]), unique=True, min_size=1))
    names = {label: data.draw(st.sampled_from(NEW[target])) for label in old}
    rule = data.draw(st.sampled_from(["gaussian", "ridge"]))
    pending = data.draw(st.integers(0, 20))
    cut, rest = slice(0, 40 - pending), slice(40 - pending, None)
    classifier = LayUPClassifier(ridge=1.0, rule=rule).fit(X[cut], y[cut], weight[cut])
    if pending:
        classifier.partial_fit(X[rest], y[rest], sample_weight=weight[rest])
    new = np.array([names.get(label, label) for label in y.tolist()])
    joint = LayUPClassifier(ridge=1.0, rule=rule).fit(X, new, weight)
    assert classifier.rename_classes(names) is classifier
    assert_same_model(classifier, joint, X)
    assert_allclose(classifier.predict_proba(X), joint.predict_proba(X), atol=1e-9)
    # and it learns on, also one row at a time
    assert_same_model(classifier.partial_fit(X[:1], new[:1]), joint.partial_fit(X[:1], new[:1]), X)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_become_strings_and_a_new_name_goes_back(dtype):
    X, y = make_samples()
    classifier = LayUPClassifier(ridge=1.0, dtype=dtype).fit(X, y)
    before, scores = classifier.statistics_, classifier.decision_function(X)
    names = {0: "zero", 1: "one", 2: "two", 3: "three"}
    classifier.rename_classes(names)
    assert_array_equal(classifier.classes_, ["one", "three", "two", "zero"])
    assert classifier.statistics_.class_sum.dtype == dtype
    assert_allclose(classifier.decision_function(X), scores[:, [1, 3, 2, 0]], atol=1e-12)
    back = classifier.rename_classes({new: old for old, new in names.items()}).statistics_
    assert_array_equal(back.classes, before.classes)
    assert_array_equal(back.class_sum, before.class_sum)
    assert back.gram is before.gram


def test_classes_change_places_all_at_once():
    X, y = make_samples(labels=["a", "b"])
    swapped = LayUPClassifier(ridge=1.0).fit(X, y).rename_classes({"a": "b", "b": "a"})
    assert_same_model(swapped, LayUPClassifier(ridge=1.0).fit(X, np.where(y == "a", "b", "a")), X)


def test_declared_classes_and_no_names():
    X, y = make_samples(labels=(1, 2))
    classifier = LayUPClassifier(ridge=1.0).partial_fit(X, y, classes=[7, 8])
    before = state(classifier)
    assert state(classifier.rename_classes({})) == before
    classifier.rename_classes({7: 5, 8: 1})
    assert_array_equal(classifier.classes_, [1, 2, 5])
    assert_array_equal(classifier.class_count_, [20, 20, 0])
    assert set(classifier.predict(X)) <= {1, 2}


def test_the_choice_on_folds_stays_and_all_travels(tmp_path):
    X, y = make_samples()
    classifier = LayUPClassifier(cv=3, ridges=[0.1, 10.0]).fit(X, y)
    tried, ridge = classifier.ridge_scores_, classifier.ridge_
    classifier.rename_classes({0: 1}).save(tmp_path / "model")
    for found in (
        classifier,
        LayUPClassifier.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(classifier)),
    ):
        assert_array_equal(found.classes_, [1, 2, 3])
        assert_array_equal(found.ridge_scores_, tried)
        assert found.ridge_ == ridge


def test_new_labels_are_strings_of_any_kind_that_were_learned():
    X, y = make_samples(labels=["a", "b"])
    objects = LayUPClassifier(ridge=1.0).fit(X, y.astype(object)).rename_classes({"a": "cat"})
    assert_array_equal(objects.classes_, ["b", "cat"])
    small = LayUPClassifier(ridge=1.0).fit(X, (y == "a").astype(np.int8))
    assert_array_equal(small.rename_classes({1: 2**40}).classes_, [0, 2**40])
    large = np.array([1, 2**64 - 1], np.uint64)[(y == "a").astype(int)]
    unsigned = LayUPClassifier(ridge=1.0).fit(X, large)
    assert unsigned.rename_classes({1: 5}).classes_.tolist() == [5, 2**64 - 1]


def test_before_the_fit():
    with pytest.raises(NotFittedError):
        LayUPClassifier().rename_classes({0: 1})
