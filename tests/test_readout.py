import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score

from _helpers import Layers, make_samples
from layup_sklearn import LayUPClassifier
from layup_sklearn._readout import label_probabilities
from layup_sklearn._temperature import noise_temperature
from test_ridge import dense_noise_variance


@pytest.mark.parametrize("n_features", [5, 60])
@pytest.mark.parametrize("labels", [(0, 1), (0, 1, 2, 3)], ids=str)
def test_is_the_softmax_at_the_scale_of_the_noise(labels, n_features):
    X, y = make_samples(30, n_features, labels)
    classifier = LayUPClassifier(ridge=2.0, rule="ridge").fit(X, y)
    scale = np.sqrt(3 * dense_noise_variance(X, y, 2.0)) / np.pi
    scores = X @ classifier.coef_.T
    assert_allclose(classifier.predict_proba(X), softmax(scores / scale, axis=1), rtol=1e-9)
    if len(labels) == 2:
        margin = classifier.decision_function(X) / scale
        assert_allclose(classifier.predict_proba(X)[:, 1], expit(margin), rtol=1e-9)


def test_scale_is_that_of_a_logistic_with_the_deviation_of_the_noise():
    draws = np.random.default_rng(0).logistic(scale=np.sqrt(3 * 0.04) / np.pi, size=200_000)
    assert_allclose(draws.std(), 0.2, rtol=0.01)
    kept = label_probabilities(np.array([[0.3, 0.0]]), noise_temperature(0.04))[0, 0]
    assert_allclose((draws < 0.3).mean(), kept, atol=0.005)


SCORES = arrays(
    float,
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    elements=st.one_of(
        st.floats(-1e3, 1e3), st.sampled_from([0.0, 5e-324, 1e-17, 0.5, 0.5 + 1e-16, 1.0])
    ),
)


@given(scores=SCORES, temperature=st.floats(1e-6, 3))
@settings(max_examples=100, deadline=None)
def test_sum_to_one_and_agree_with_the_largest_score(scores, temperature):
    probabilities = label_probabilities(scores, temperature)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    assert_array_equal(probabilities.argmax(axis=1), scores.argmax(axis=1))
    order = scores.argsort(axis=1)
    assert (np.diff(np.take_along_axis(probabilities, order, axis=1)) >= -2.3e-16).all()
    assert_allclose(label_probabilities(scores + 1, temperature), probabilities, atol=1e-6)


@given(
    seed=st.integers(0, 999),
    labels=st.sampled_from([(3,), ("b", "a"), (0, 1, 2, 3)]),
    n_samples=st.integers(4, 40),
    wide=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_agree_with_predict(seed, labels, n_samples, wide):
    X, y = make_samples(n_samples, 60 if wide else 5, labels, seed=seed)
    classifier = LayUPClassifier(ridge=1.0).fit(X, y)
    rows = np.vstack([X, 0 * X[:1], 1e6 * X, 1e-300 * X])  # a tie, certainty, almost ties
    probabilities = classifier.predict_proba(rows)
    assert probabilities.shape == (len(rows), len(labels))
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    assert_array_equal(classifier.classes_[probabilities.argmax(axis=1)], classifier.predict(rows))


def test_classes_never_seen_have_probability_zero():
    X, y = make_samples()
    declared = LayUPClassifier(ridge=1.0).partial_fit(X, y, classes=[-1, 9])
    probabilities = declared.predict_proba(X)
    assert probabilities.shape == (40, 6)
    assert (probabilities[:, [0, 5]] == 0).all()
    assert_array_equal(probabilities[:, 1:5], LayUPClassifier(ridge=1.0).fit(X, y).predict_proba(X))
    half = LayUPClassifier().partial_fit(X, 0 * y, classes=[0, 1])
    assert_array_equal(half.predict_proba(X), np.tile([1.0, 0.0], (40, 1)))
    assert set(half.predict(X)) == {0}


def test_any_cut_is_the_joint_fit():
    X, y = make_samples()
    stream = LayUPClassifier(ridge=2.0)
    for rows in (slice(0, 3), slice(3, 9), slice(9, 40)):
        stream.partial_fit(X[rows], y[rows])
        stream.predict_proba(X)
    joint = LayUPClassifier(ridge=2.0).fit(X, y)
    assert_allclose(stream.predict_proba(X), joint.predict_proba(X), rtol=1e-9)


def test_limits_of_the_ridge_and_of_perfect_features():
    X, y = make_samples()
    flat = LayUPClassifier(ridge=1e12).fit(X, y).predict_proba(X)
    assert_allclose(flat, 0.25, atol=1e-6)
    sure = LayUPClassifier().fit(np.eye(4)[y], y).predict_proba(np.eye(4)[y])
    assert_allclose(sure, np.eye(4)[y], atol=1e-6)


def test_follows_the_number_of_layers():
    X, y = make_samples()
    classifier = LayUPClassifier(Layers((2, 3)), ridge=1.0, n_layers=1).fit(X, y)
    expected = LayUPClassifier(ridge=1.0).fit(X[:, :2], y).predict_proba(X[:, :2])
    assert_allclose(classifier.predict_proba(X), expected)


def test_layers_chosen_away_leave_no_trace():
    X, y = make_samples()
    informative = np.eye(4)[y] + 0.1 * X[:, :4]
    X = np.hstack([informative, np.random.default_rng(1).standard_normal((40, 30))])
    chosen = LayUPClassifier(Layers((4, 30)), n_layers="auto").fit(X, y)
    assert chosen.n_layers_ == 1
    alone = LayUPClassifier(ridge=chosen.ridge_).fit(informative, y)
    assert_allclose(chosen.predict_proba(X), alone.predict_proba(informative))
    assert_allclose(chosen.score_samples(X), alone.score_samples(informative))


@pytest.mark.parametrize("weight", [1e-6, 0.04, 0.05, 1e6])
def test_tiny_and_huge_weights_give_finite_answers(weight):
    X, y = make_samples()
    classifier = LayUPClassifier(ridge=weight).fit(X, y, sample_weight=np.full(40, weight))
    assert np.isfinite(classifier.log_evidence_)
    assert_allclose(classifier.predict_proba(X).sum(axis=1), 1)
    auto = LayUPClassifier(ridges=[weight, 10 * weight]).fit(
        X, y, sample_weight=np.full(40, weight)
    )
    assert np.isfinite(auto.ridge_scores_["score"]).all()


def test_on_held_out_samples_other_scales_do_worse():
    X, y = make_samples(600)
    classifier = LayUPClassifier(rule="ridge").fit(X[:200], y[:200])
    scores = classifier.decision_function(X[200:])
    noise = dense_noise_variance(X[:200], y[:200], classifier.ridge_)
    scale = noise_temperature(noise)
    loss = {t: log_loss(y[200:], label_probabilities(scores, t * scale)) for t in (1 / 3, 1, 3)}
    assert_allclose(loss[1], log_loss(y[200:], classifier.predict_proba(X[200:])))
    assert loss[1] < min(loss[1 / 3], loss[3], log_loss(y[200:], softmax(scores, axis=1)))


@pytest.mark.parametrize("labels", [("no", "yes"), (0, 1, 2, 3)], ids=str)
def test_company(labels):
    X, y = make_samples(90, labels=labels)
    classifier = LayUPClassifier(ridge=1.0)
    for scoring in ("roc_auc_ovr", "roc_auc_ovo", "neg_log_loss"):
        assert np.isfinite(cross_val_score(classifier, X, y, scoring=scoring, cv=3)).all()
    fitted = classifier.fit(X, y)
    frozen = FrozenEstimator(fitted)
    assert_array_equal(frozen.predict_proba(X), fitted.predict_proba(X))
    for model in (
        CalibratedClassifierCV(LayUPClassifier(), cv=3),
        CalibratedClassifierCV(frozen),
        VotingClassifier([("a", LayUPClassifier()), ("b", classifier)], voting="soft"),
    ):
        assert_allclose(model.fit(X, y).predict_proba(X).sum(axis=1), 1)
    frame = pd.DataFrame(X, columns=list("abcde"))
    assert_array_equal(
        LayUPClassifier(ridge=1.0).fit(frame, y).predict_proba(frame), fitted.predict_proba(X)
    )


def test_not_fitted():
    with pytest.raises(NotFittedError):
        LayUPClassifier().predict_proba([[0.0]])
