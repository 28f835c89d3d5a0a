import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from _helpers import LABELS, assert_same_model, make_samples, state
from layup_sklearn import ClassStatistics, ImageEncoder, LayUPClassifier

splits = given(
    seed=st.integers(0, 999),
    n_first=st.integers(1, 39),
    by_label=st.booleans(),
    kind=st.sampled_from([*LABELS]),
    wide=st.booleans(),
    weighted=st.booleans(),
)


def make_split(seed, n_first, by_label, kind, wide, weighted):
    X, y = make_samples(40, 60 if wide else 5, LABELS[kind], seed)
    if by_label:
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
    weight = np.random.default_rng(seed).uniform(0.1, 2, 40) if weighted else np.ones(40)
    first, second = slice(None, n_first), slice(n_first, None)
    return X, [(X[rows], y[rows], weight[rows]) for rows in (first, second, slice(None))]


@splits
@settings(max_examples=100, deadline=None)
def test_merge_is_the_fit_on_both(**split):
    X, (first, second, both) = make_split(**split)
    a = LayUPClassifier(ridge=1.0).fit(*first)
    b = LayUPClassifier(ridge=2.0).fit(*second)
    joint = LayUPClassifier(ridge=1.0).fit(*both)
    assert a.merge(b) is a
    assert_same_model(a, joint, X)
    assert_same_model(b, LayUPClassifier(ridge=2.0).fit(*second), X)


@splits
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore:The evidence is highest")
def test_forget_undoes_learning(**split):
    X, (first, second, both) = make_split(**split)
    kept = LayUPClassifier().fit(*first)
    classifier = LayUPClassifier().fit(*both)
    assert classifier.forget(*second) is classifier
    assert_same_model(classifier, kept, X)
    classifier.partial_fit(*second[:2], sample_weight=second[2])
    assert_same_model(classifier, LayUPClassifier().fit(*both), X)


@given(seed=st.integers(0, 999), n_first=st.integers(4, 36))
@settings(max_examples=30, deadline=None)
def test_single_precision_sums_are_merged_and_forgotten(seed, n_first):
    X, y = make_samples(seed=seed)
    single = LayUPClassifier(ridge=1.0, dtype="float32").fit(X[:n_first], y[:n_first])
    before = single.statistics_
    single.merge(LayUPClassifier().fit(X[n_first:], y[n_first:]))
    assert single.statistics_.gram.dtype == np.float32
    single.forget(X[n_first:], y[n_first:])
    assert_array_equal(single.classes_, before.classes)
    assert_array_equal(single.statistics_.class_count, before.class_count)
    size = np.abs(before.gram).max()
    assert_allclose(single.statistics_.gram, before.gram, atol=1e-5 * size)


def test_merging_many_in_any_order():
    X, y = make_samples(60)
    parts = [LayUPClassifier(ridge=1.0).fit(X[i::7], y[i::7]) for i in range(7)]
    orders = [range(7), reversed(range(7)), [3, 0, 6, 1, 5, 2, 4]]
    joint = LayUPClassifier(ridge=1.0).fit(X, y)
    for first, *rest in orders:
        total = pickle.loads(pickle.dumps(parts[first]))
        for i in rest:
            total.merge(parts[i])
        assert_same_model(total, joint, X)


def test_a_class_leaves_with_its_last_sample_and_a_declared_one_stays():
    X, y = make_samples()
    classifier = LayUPClassifier().partial_fit(X, y, classes=[0, 1, 2, 3, 9])
    classifier.forget(X[y == 3], y[y == 3])
    assert_array_equal(classifier.classes_, [0, 1, 2, 9])
    assert_array_equal(classifier.statistics_.class_count, [10, 10, 10, 0])
    assert set(classifier.predict(-X)) <= {0, 1, 2}


def test_weights_of_forgotten_samples_leave_no_crumbs():
    rng = np.random.default_rng(0)
    X, y = make_samples(40)
    weight = rng.uniform(0.1, 1, 40)
    classifier = LayUPClassifier().fit(X, y, weight)
    for rows in np.split(rng.permutation(40), 8):
        rows = rows[y[rows] > 1]
        classifier.forget(X[rows], y[rows], weight[rows])
    assert_array_equal(classifier.classes_, [0, 1])
    lightest = classifier.partial_fit(X[:1], [2], sample_weight=[1e-6]).statistics_
    assert_allclose(lightest.class_count[2], 1e-6)


FORGET = {
    "label": (lambda X, y: (X[:1], [9]), "Label 9 was never learned"),
    "label kind": (lambda X, y: (X[:1], ["a"]), "of one kind"),
    "count": (
        lambda X, y: (X[[0] * 11], y[[0] * 11]),
        "has samples of weight 10, fewer than the 11",
    ),
    "larger": (lambda X, y: (9 * X[:1], y[:1]), "cannot have been learned"),
    "other features": (lambda X, y: (X[y == 0] + 0.1, y[y == 0]), "cannot have been learned"),
    "huge": (lambda X, y: (1e200 * X[:1], y[:1]), "cannot have been learned"),
    "all": (lambda X, y: (X, y), "No sample would be left"),
    "columns": (lambda X, y: (X[:, :3], y), "X has 3 features"),
    "nan": (lambda X, y: (X * np.nan, y), "NaN"),
    "no weight": (lambda X, y: (X, y, 0.0 * y), "sample_weight is zero"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("call", FORGET)
def test_what_cannot_have_been_there_is_not_forgotten(call, dtype):
    X, y = make_samples()
    make_bad, message = FORGET[call]
    classifier = LayUPClassifier(dtype=dtype).fit(X, y)
    before = state(classifier)
    with pytest.raises(ValueError, match=message):
        classifier.forget(*make_bad(X, y))
    assert state(classifier) == before


def test_a_feature_that_never_was_is_not_forgotten():
    X, y = make_samples()
    X[:, 2] = 0
    classifier = LayUPClassifier().fit(X, y).forget(X[:3], y[:3])
    X[:, 2] = 1e-3
    with pytest.raises(ValueError, match="cannot have been learned"):
        classifier.forget(X[3:5], y[3:5])
    wide, y = make_samples(20, 50)
    few = LayUPClassifier().fit(wide, y)
    with pytest.raises(ValueError, match="cannot have been learned"):
        few.forget(make_samples(20, 50, seed=1)[0][:1] / 9, y[:1])


@pytest.mark.parametrize("scale", [1e-160, 1e-150, 1e-20, 1e20, 1e148])
def test_the_scale_of_the_features_does_not_matter(scale):
    X, y = make_samples(20, 30)
    X[:, ::3] *= scale
    X[:, 5] = 7
    classifier = LayUPClassifier().fit(X, y)
    for i in range(19):
        classifier.forget(X[i : i + 1], y[i : i + 1])
    assert_array_equal(classifier.classes_, y[19:])


def test_forgetting_sees_the_encoder_and_works_in_chunks():
    X, y = make_samples(2500)
    scaler = FrozenEstimator(StandardScaler().fit(X))
    classifier = LayUPClassifier(scaler, ridge=1.0).fit(X, y).forget(X[20:], y[20:])
    assert_same_model(classifier, LayUPClassifier(scaler, ridge=1.0).fit(X[:20], y[:20]), X)


def test_different_features_are_not_merged():
    X, y = make_samples()
    frame = pd.DataFrame(X, columns=list("abcde"))
    scaled = LayUPClassifier(StandardScaler())
    cases = [
        (LayUPClassifier(), X[:, :3], "5 and of 3 features"),
        (LayUPClassifier(), X, "of one kind"),
        (scaled, X, "encoders make different features"),
        (LayUPClassifier(), frame[list("edcba")], "feature names should match"),
    ]
    for other, other_X, message in cases:
        other.fit(other_X, y.astype(str) if "kind" in message else y)
        classifier = LayUPClassifier().fit(frame, y)
        before = state(classifier)
        with pytest.raises(ValueError, match=message):
            classifier.merge(other)
        assert state(classifier) == before
    with pytest.raises(TypeError, match="must be a LayUPClassifier, got ClassStatistics"):
        classifier.merge(ClassStatistics.from_samples(X, y))
    for a, b in [(LayUPClassifier(), classifier), (classifier, LayUPClassifier())]:
        with pytest.raises(NotFittedError):
            a.merge(b)
    with pytest.raises(NotFittedError):
        LayUPClassifier().forget(X, y)


def test_overflowing_sums_are_not_merged():
    X, y = make_samples()
    huge = LayUPClassifier().fit(1e148 * X, y)
    before = state(huge)
    with pytest.raises(ValueError, match="too large"):
        for _ in range(2000):
            huge.merge(huge)
            before = state(huge)
    assert state(huge) == before


class Scaled(FunctionTransformer):
    """Names its feature space, as network encoders do."""

    def __init__(self, space, device):
        super().__init__()
        self.space, self.device = space, device

    def fingerprint(self):
        return self.space


def test_encoders_are_the_same_when_their_features_are():
    X, y = make_samples()
    scaler = StandardScaler()
    half, again, other = (LayUPClassifier(scaler).fit(Z, y) for Z in (X, X, X[::-1] + y[:, None]))
    half.merge(again)
    with pytest.raises(ValueError, match="different features"):
        half.merge(other)
    here = LayUPClassifier(Scaled("a", "cpu")).fit(X, y)
    here.merge(LayUPClassifier(Scaled("a", "cuda")).fit(X, y))
    with pytest.raises(ValueError, match="different features"):
        here.merge(LayUPClassifier(Scaled("b", "cpu")).fit(X, y))


def test_classifiers_of_images_are_merged():
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=2)
    a = LayUPClassifier(encoder, ridge=1.0).fit(images[:4], [0, 1, 0, 1])
    a.merge(LayUPClassifier(encoder, ridge=1.0).fit(images[4:], [2, 1, 2, 1]))
    joint = LayUPClassifier(encoder, ridge=1.0).fit(images, [0, 1, 0, 1, 2, 1, 2, 1])
    assert_allclose(a.statistics_.gram, joint.statistics_.gram, rtol=1e-5)
    with pytest.raises(ValueError, match="different features"):
        a.merge(LayUPClassifier(encoder.set_params(pool="token")).fit(images, np.arange(8) % 2))


def test_choices_on_folds_survive():
    X, y = make_samples()
    folds = LayUPClassifier(cv=3, ridges=[0.1, 50.0]).fit(X, y)
    ridge = folds.ridge_
    folds.forget(X[:3], y[:3])
    plain = LayUPClassifier().fit(X, y)
    assert folds.merge(plain).ridge_ == ridge
    assert plain.merge(folds).set_params(cv=3).ridge_ == ridge


def test_forgetting_something_huge_says_that_rounding_has_eaten_the_rest():
    X, y = make_samples()
    classifier = LayUPClassifier(ridge=1.0).fit(X, y).partial_fit(1e10 * X[:3], y[:3])
    with pytest.warns(UserWarning, match="rounding"):
        classifier.forget(1e10 * X[:3], y[:3])


def test_functions_without_a_name_are_compared_by_what_they_are():
    X, y = make_samples()
    double = FunctionTransformer(lambda X: 2 * X)
    one, same = LayUPClassifier(double).fit(X, y), LayUPClassifier(double).fit(X, y)
    assert_allclose(one.merge(same).statistics_.gram, 8 * X.T @ X)
    other = LayUPClassifier(FunctionTransformer(lambda X: 3 * X)).fit(X, y)
    with pytest.raises(ValueError, match="different features"):
        one.merge(other)


def test_columns_that_only_the_forgotten_samples_had_are_no_matter_of_rounding():
    rng = np.random.default_rng(0)
    X, y = make_samples()
    X[:, 3] = np.where(np.arange(40) < 7, rng.uniform(0, 1, 40), 0)
    classifier = LayUPClassifier(ridge=1.0).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.forget(X[:7], y[:7])
    assert_same_model(classifier, LayUPClassifier(ridge=1.0).fit(X[7:], y[7:]), X)
