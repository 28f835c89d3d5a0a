from itertools import count

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.naive_bayes import MultinomialNB

from layup_sklearn import FeatureCache, ImageEncoder, LayUPClassifier, encoders, evaluation
from layup_sklearn.encoders import _image_encoder
from layup_sklearn.evaluation import (
    AccuracyCurvesDisplay,
    AccuracyMatrixDisplay,
    LayerCountDisplay,
    RidgePathDisplay,
    average_accuracy,
    backward_transfer,
    blurry_tasks,
    class_incremental_tasks,
    domain_incremental_tasks,
    evaluate_continual,
    evaluate_prequential,
    few_shot_tasks,
    forgetting,
    forward_transfer,
    long_tailed_tasks,
    online_batches,
    task_confusion,
)

R = np.array([[0.9, np.nan, np.nan], [0.6, 0.8, np.nan], [0.7, 0.5, 1.0]])


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:700], y[:700], X[700:1000], y[700:1000]


def test_metrics_of_a_known_matrix():
    assert_allclose(average_accuracy(R), [0.9, 0.7, 2.2 / 3])
    assert_allclose(forgetting(R), (0.2 + 0.3) / 2)
    assert_allclose(backward_transfer(R), (-0.2 - 0.3) / 2)
    assert forgetting(R[:1, :1]) == backward_transfer(R[:1, :1]) == forward_transfer(R[:1, :1]) == 0


def test_accuracies_on_tasks_to_come_change_forward_transfer_alone():
    full = np.where(np.isnan(R), 0.95, R)
    for measure in (average_accuracy, forgetting, backward_transfer):
        assert_array_equal(measure(full), measure(R))
    assert_allclose(forward_transfer(full, baseline=[0.0, 0.45, 0.75]), (0.5 + 0.2) / 2)
    with pytest.raises(ValueError, match="future=True"):
        forward_transfer(R)


def test_class_incremental_tasks_share_out_the_classes():
    y = np.array(list("abcdefg") * 2)
    tasks = class_incremental_tasks(y, y[:7], 3, class_order=list("gfedcba"))
    assert ["".join(y[train[: len(train) // 2]]) for train, _ in tasks] == ["efg", "cd", "ab"]
    assert [test.tolist() for _, test in tasks] == [[4, 5, 6], [2, 3], [0, 1]]
    sizes = [len(test) for _, test in class_incremental_tasks(y, y[:7], 4, first_task_size=4)]
    assert sizes == [4, 1, 1, 1]
    assert len(class_incremental_tasks(y, y, 1, first_task_size=7)) == 1
    one = class_incremental_tasks(y, y, 1, random_state=0)
    assert_array_equal(one[0][0], np.arange(14))
    again = [class_incremental_tasks(y, y, 3, random_state=5) for _ in range(2)]
    for a, b in zip(*again):
        assert_array_equal(a[0], b[0])


def test_the_order_of_the_paper():
    y = np.arange(100)
    first = class_incremental_tasks(y, y, 10, random_state=1993)[0][0]
    assert set(first) == {68, 56, 78, 8, 23, 84, 90, 65, 74, 76}


@pytest.mark.parametrize(
    "n_tasks, options",
    [
        (0, {}),
        (4, {}),
        (1, {"first_task_size": 2}),
        (3, {"first_task_size": 2}),
        (2, {"first_task_size": 0}),
        (2, {"first_task_size": -1}),
        (2, {"first_task_size": 3}),
        (1, {"first_task_size": 4}),
    ],
)
def test_tasks_that_cannot_be_dealt_are_refused(n_tasks, options):
    y = np.arange(3)
    with pytest.raises(ValueError, match="3 classes cannot be dealt"):
        class_incremental_tasks(y, y, n_tasks, **options)
    with pytest.raises(ValueError, match="every label of y_train exactly once"):
        class_incremental_tasks(y, y, 2, class_order=[0, 1, 1])


def test_domain_incremental_tasks():
    train, test = np.array(["art", "deviantart", "art", "real"]), np.array(["real", "art"])
    tasks = domain_incremental_tasks(train, test, domains=["real", "art"])
    assert [(a.tolist(), b.tolist()) for a, b in tasks] == [([3], [0]), ([0, 2], [1])]
    assert len(domain_incremental_tasks(train, test)) == 3
    with pytest.raises(ValueError, match="without training samples: toy"):
        domain_incremental_tasks(train, test, domains=["art", "toy"])


def test_online_batches_hold_every_sample_once():
    y = np.arange(10) % 2
    tasks = class_incremental_tasks(y, y, 2, random_state=0)
    online = online_batches(tasks, 2, random_state=0)
    for (train, test), (batches, same) in zip(tasks, online):
        assert [len(batch) for batch in batches] == [2, 2, 1]
        assert_array_equal(np.sort(np.concatenate(batches)), train)
        assert_array_equal(test, same)


def test_the_matrix_is_what_a_loop_by_hand_gives(digits, monkeypatch):
    X, y, X_test, y_test = digits
    ticks = count()
    monkeypatch.setattr(evaluation, "perf_counter", lambda: next(ticks) ** 2)
    tasks = class_incremental_tasks(y, y_test, 5, random_state=0)
    result = evaluate_continual(LayUPClassifier(ridge=1.0), tasks, *digits)
    by_hand = LayUPClassifier(ridge=1.0)
    for t, (train, _) in enumerate(tasks):
        by_hand.partial_fit(X[train], y[train])
        for i, (_, test) in enumerate(tasks[: t + 1]):
            expected = accuracy_score(y_test[test], by_hand.predict(X_test[test]))
            assert result.accuracy_matrix[t, i] == expected
    assert np.isnan(result.accuracy_matrix[np.triu_indices(5, 1)]).all()
    assert_allclose(result.weighted_accuracy[-1], by_hand.score(X_test, y_test))
    assert result.final_accuracy == result.accuracy[-1] == np.mean(result.accuracy_matrix[-1])
    assert_allclose(result.average_accuracy, average_accuracy(result.accuracy_matrix).mean())
    # Between the squares 0, 1, 4, then 9, 16, 25, ...
    assert_array_equal(result.fit_time, [1, 7, 13, 19, 25])
    assert_array_equal(result.score_time, [3, 9, 15, 21, 27])


def test_accuracies_on_tasks_to_come(digits):
    X, y, X_test, y_test = digits
    tasks = domain_incremental_tasks(np.arange(700) % 3, np.arange(300) % 3)
    result = evaluate_continual(LayUPClassifier(), tasks, X, y, X_test, y_test, future=True)
    first = LayUPClassifier().fit(X[::3], y[::3])
    assert_allclose(
        result.accuracy_matrix[0], [first.score(X_test[t::3], y_test[t::3]) for t in range(3)]
    )
    usual = evaluate_continual(LayUPClassifier(), tasks, X, y, X_test, y_test)
    assert_array_equal(np.tril(result.accuracy_matrix), np.tril(usual.accuracy_matrix))
    assert_array_equal(result.weighted_accuracy, usual.weighted_accuracy)
    assert np.isnan(usual.accuracy_matrix[0, 1:]).all()


def test_confusion_over_tasks_is_that_over_classes_summed(digits):
    X, y, X_test, y_test = digits
    tasks = class_incremental_tasks(y, y_test, 5, random_state=0)
    predicted = LayUPClassifier().fit(X, y).predict(X_test)
    task_of = np.empty(10, dtype=int)
    for t, (train, _) in enumerate(tasks):
        task_of[y[train]] = t
    expected = confusion_matrix(task_of[y_test], task_of[predicted], normalize="true")
    assert_allclose(task_confusion(tasks, y_test, predicted), expected)
    foreign = task_confusion(tasks, y_test, np.full(len(y_test), 99))
    assert not foreign.any()
    with pytest.raises(ValueError, match="belongs to several tasks"):
        task_confusion([tasks[0], tasks[0]], y_test, predicted)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_prequential_accuracy_is_what_a_loop_by_hand_gives(batch_size, digits):
    X, y, X_test, y_test = digits
    X, y = X[:60], y[:60]
    tasks = online_batches(class_incremental_tasks(y, y_test, 2, random_state=0), batch_size)
    result = evaluate_prequential(
        LayUPClassifier(ridge=1.0), tasks, X, y, X_test, y_test, n_points=3
    )
    batches = [rows for part, _ in tasks for rows in part]
    classifier, right = LayUPClassifier(ridge=1.0), [np.zeros(len(batches[0]), dtype=bool)]
    classifier.partial_fit(X[batches[0]], y[batches[0]])
    for rows in batches[1:]:
        right.append(classifier.predict(X[rows]) == y[rows])
        classifier.partial_fit(X[rows], y[rows])
    assert_array_equal(result.rows, np.concatenate(batches))
    assert_array_equal(result.correct, np.concatenate(right))
    assert result.final_accuracy == np.concatenate(right).mean()
    assert len(result.n_seen) == 3 and result.n_seen[-1] == 60
    assert result.test_accuracy[-1] == classifier.score(X_test, y_test)
    assert result.anytime_accuracy == result.test_accuracy.mean()
    seen = np.isin(y_test, y[result.rows[: result.n_seen[0]]])
    early = LayUPClassifier(ridge=1.0).fit(*(a[result.rows[: result.n_seen[0]]] for a in (X, y)))
    assert result.test_accuracy[0] == early.score(X_test[seen], y_test[seen])


def test_prequential_of_a_classifier_that_wants_all_classes(digits):
    X, y, _, _ = digits
    tasks = online_batches(class_incremental_tasks(y, y, 2), 10)
    result = evaluate_prequential(MultinomialNB(), tasks, X, y)
    assert len(result.correct) == 700 and np.isnan(result.anytime_accuracy)
    with pytest.raises(ValueError, match="tasks is empty"):
        evaluate_prequential(MultinomialNB(), [], X, y)


def test_the_cut_into_batches_does_not_matter(digits):
    tasks = class_incremental_tasks(digits[1], digits[3], 5, random_state=0)
    whole = evaluate_continual(LayUPClassifier(), tasks, *digits)
    online = evaluate_continual(
        LayUPClassifier(), online_batches(tasks, 7, random_state=0), *digits
    )
    assert_array_equal(whole.accuracy_matrix, online.accuracy_matrix)


@pytest.mark.parametrize("estimator", [SGDClassifier(random_state=0), MultinomialNB()])
def test_any_classifier_with_partial_fit(estimator, digits):
    tasks = class_incremental_tasks(digits[1], digits[3], 2, random_state=0)
    result = evaluate_continual(estimator, tasks, *digits)
    assert result.accuracy_matrix[0, 0] > 0.8
    assert not hasattr(estimator, "classes_")


def test_the_callback_sees_the_estimator_after_every_task(digits):
    tasks, seen = class_incremental_tasks(digits[1], digits[3], 5, random_state=0), []
    evaluate_continual(
        LayUPClassifier(ridge=1.0),
        tasks,
        *digits,
        callback=lambda t, estimator: seen.append(
            (t, (estimator.statistics_.class_count > 0).sum())
        ),
    )
    assert seen == [(0, 2), (1, 4), (2, 6), (3, 8), (4, 10)]


@pytest.fixture
def counts(monkeypatch):
    """Numbers of images in the passes of a network."""
    counts, layer_features = [], _image_encoder.layer_features

    def counting(network, pixels, *args):
        counts.append(len(pixels))
        return layer_features(network, pixels, *args)

    monkeypatch.setattr(_image_encoder, "layer_features", counting)
    return counts


def test_images_go_through_the_network_once(counts):
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    y = np.arange(12) % 3
    tasks = class_incremental_tasks(y, y, 3, random_state=0)
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32)
    classifier = LayUPClassifier(encoder, ridge=1.0)
    evaluate_continual(classifier, tasks, images, y, images, y)
    assert sum(counts) == 12
    assert encoder.memory is None
    kept = FeatureCache()
    classifier = LayUPClassifier(encoder.set_params(memory=kept), ridge=1.0)
    evaluate_continual(classifier, tasks, images, y, images, y)
    assert len(kept) == 12


def test_an_encoder_given_by_name_sees_the_test_images_once(counts, monkeypatch):
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32)
    monkeypatch.setattr(encoders, "ImageEncoder", lambda name: clone(encoder))
    images = np.random.default_rng(0).integers(0, 256, (18, 16, 16, 3), dtype=np.uint8)
    y = np.arange(9) % 3
    tasks = class_incremental_tasks(y, y, 3, random_state=0)
    evaluate_continual(LayUPClassifier("test_vit", ridge=1.0), tasks, images[:9], y, images[9:], y)
    assert sum(counts) == 18


def test_errors_say_what_is_wrong(digits):
    X, y, X_test, y_test = digits
    with pytest.raises(ValueError, match=r"tasks\[1\] has no test samples"):
        tasks = [(np.arange(9), np.arange(9)), (np.arange(9), np.arange(0))]
        evaluate_continual(LayUPClassifier(), tasks, *digits)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        evaluate_continual(LayUPClassifier(), [], X, y[1:], X_test, y_test)


def test_displays_draw_what_they_are_given():
    pytest.importorskip("matplotlib").use("Agg")
    display = AccuracyMatrixDisplay(R, task_names=np.array(["a", "b", "c"])).plot()
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["0.90", "0.60", "0.80", "0.70", "0.50", "1.00"]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["a", "b", "c"]
    curves = AccuracyCurvesDisplay({"LayUP": [[0.9, 0.7], [0.7, 0.5]], "other": [0.3, 0.2]}).plot()
    assert_allclose(curves.lines_[0].get_ydata(), [0.8, 0.6])
    assert [line.get_label() for line in curves.lines_] == ["LayUP", "other"]
    on_same = AccuracyCurvesDisplay({"x": [1.0]}).plot(ax=curves.ax_)
    assert on_same.ax_ is curves.ax_


@pytest.mark.parametrize("n_tasks, name", [(3, "task {}"), (20, "long name of task {}")])
def test_accuracy_matrices_of_many_named_tasks_are_readable(n_tasks, name):
    pytest.importorskip("matplotlib").use("Agg")
    names = [name.format(t) for t in range(n_tasks)]
    matrix = np.where(np.tri(n_tasks), 0.875, np.nan)
    display = AccuracyMatrixDisplay(matrix, task_names=names).plot(values_format=".0%")
    renderer = display.figure_.canvas.get_renderer()
    display.figure_.draw(renderer)
    for labels in (
        display.ax_.get_xticklabels(),
        display.ax_.get_yticklabels(),
        display.text_[-1].tolist(),
    ):
        boxes = [label.get_window_extent(renderer) for label in labels]
        assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:]))
    assert display.text_[0, 0].get_text() == "88%" and display.text_[0, 1] is None
    bare = display.plot(include_values=False, colorbar=False, xticks_rotation=45)
    assert bare.text_ is None and len(bare.figure_.axes) == 1
    assert bare.ax_.get_xticklabels()[0].get_rotation() == 45


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)


def test_the_ridge_path_is_what_was_tried(images):
    pytest.importorskip("matplotlib").use("Agg")
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=3)
    y = np.arange(12) % 3
    classifier = LayUPClassifier(encoder, n_layers="auto", ridges=[1e3, 1e-30, 10.0]).fit(images, y)
    display = RidgePathDisplay.from_estimator(classifier)
    assert [line.get_label() for line in display.lines_] == ["1", "2", "3"]
    for i, line in enumerate(display.lines_):
        scores = classifier.ridge_scores_
        scores = scores[scores["n_layers"] == i + 1]
        assert scores["score"][1] == -np.inf  # singular
        assert_array_equal(line.get_xdata(), [10, 1e3])
        assert_array_equal(line.get_ydata(), scores["score"][[2, 0]])
    assert list(display.chosen_.get_xdata()) == [classifier.ridge_] * 2
    widths = [line.get_linewidth() for line in display.lines_]
    assert [width > 2 for width in widths] == [n == classifier.n_layers_ for n in (1, 2, 3)]
    assert display.ax_.get_ylabel() == "log evidence"
    assert display.plot(ax=display.ax_).ax_ is display.ax_


def test_the_ridge_path_says_what_its_scores_are(images):
    pytest.importorskip("matplotlib").use("Agg")
    X = images.reshape(12, -1) / 255.0
    folds = LayUPClassifier(cv=2).fit(X, np.arange(12) % 3)
    assert RidgePathDisplay.from_estimator(folds).ax_.get_ylabel() == "accuracy on the folds"
    no_folds = LayUPClassifier(cv=2, ridges=[1.0, 2.0]).fit(X, np.arange(12))
    assert RidgePathDisplay.from_estimator(no_folds).ax_.get_ylabel() == "log evidence"


def test_a_ridge_of_zero_is_drawn():
    pytest.importorskip("matplotlib").use("Agg")
    X, y = np.random.default_rng(0).standard_normal((20, 3)), np.arange(20) % 2
    display = RidgePathDisplay.from_estimator(LayUPClassifier(ridge=0.0).fit(X, y))
    left, right = display.ax_.get_xlim()
    assert left <= 0 < right and list(display.chosen_.get_xdata()) == [0, 0]


class Layers(TransformerMixin, BaseEstimator):
    """Three layers, of 2, 2 and 12 columns; with a parameter that has our name for another thing."""

    def __init__(self, memory=None):
        self.memory = memory

    def fit(self, X, y=None):
        self.layer_sizes_ = [2, 2, 12]
        return self

    def transform(self, X):
        return np.asarray(X)


def test_foreign_encoders_and_singular_layers_are_drawn():
    pytest.importorskip("matplotlib").use("Agg")
    rng = np.random.default_rng(0)
    y = np.arange(12) % 3
    X = rng.standard_normal((12, 16))
    X[:, 2:4] += 9 * np.eye(3)[y, :2]
    classifier = LayUPClassifier(Layers(), n_layers=1, ridge=0.0).fit(X, y)
    accuracy = LayerCountDisplay.from_estimator(classifier, X, y).line_.get_ydata()
    expected = [classifier.set_params(n_layers=n).score(X, y) for n in (1, 2)]
    assert expected[0] < expected[1]
    assert_array_equal(accuracy, [*expected, np.nan])  # 16 features, 12 samples
    assert classifier.encoder_.memory is None
    with pytest.raises(NotFittedError):
        LayerCountDisplay.from_estimator(LayUPClassifier(), X, y)
    with pytest.raises(NotFittedError):
        RidgePathDisplay.from_estimator(LayUPClassifier())


@pytest.mark.parametrize("ridge", ["auto", 10.0])
def test_the_number_of_layers_is_drawn_with_the_images_embedded_once(ridge, images, counts):
    pytest.importorskip("matplotlib").use("Agg")
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=3)
    y = np.arange(12) % 3
    classifier = LayUPClassifier(encoder, ridge=ridge, ridges=[1.0, 100.0]).fit(images[:9], y[:9])
    counts.clear()
    display = LayerCountDisplay.from_estimator(classifier, images[9:], y[9:])
    assert sum(counts) == 3
    assert classifier.encoder_.memory is None and classifier.n_layers is None
    expected, evidence = [], []
    for n_layers in (1, 2, 3):
        classifier.set_params(n_layers=n_layers)
        expected.append(classifier.score(images[9:], y[9:]))
        evidence.append(classifier.log_evidence_)
    assert_array_equal(display.line_.get_ydata(), expected)
    assert list(display.chosen_.get_xdata()) == [np.argmax(evidence) + 1] * 2
    assert LayerCountDisplay([0.5, 0.7]).plot().chosen_ is None
    assert LayerCountDisplay([0.5, 0.7], log_evidence=[-np.inf] * 2).plot().chosen_ is None
    display = LayerCountDisplay([0.5, np.nan, 0.7], log_evidence=[-90.0, np.nan, -70.0]).plot()
    assert set(display.chosen_.get_xdata()) == {3}


@pytest.mark.parametrize("kind", [list, tuple, "mask", "range"])
def test_rows_of_tasks_in_any_form(digits, kind):
    X, y, X_test, y_test = digits
    tasks = class_incremental_tasks(y, y_test, 2, random_state=0)
    if kind == "mask":
        places = np.arange(len(y)), np.arange(len(y_test))
        given = [tuple(map(np.isin, places, task)) for task in tasks]
    elif kind == "range":
        tasks = given = [(range(0, 300), range(0, 50)), (range(300, 600), range(50, 100))]
    else:
        given = [tuple(kind(rows.tolist()) for rows in task) for task in tasks]
    tasks = [tuple(np.asarray(rows) for rows in task) for task in tasks]
    expected, found = (
        evaluate_continual(LayUPClassifier(ridge=1.0), each, *digits) for each in (tasks, given)
    )
    assert_array_equal(found.accuracy_matrix, expected.accuracy_matrix)
    assert_array_equal(found.n_test, expected.n_test)
    for harder in (
        lambda tasks: online_batches(tasks, 7, random_state=0),
        lambda tasks: blurry_tasks(tasks, random_state=0),
        lambda tasks: long_tailed_tasks(tasks, y, random_state=0),
        lambda tasks: few_shot_tasks(tasks, y, random_state=0),
    ):
        for one, other in zip(harder(tasks), harder(given)):
            assert_array_equal(np.hstack(one[0]), np.hstack(other[0]))
    by_task = evaluate_prequential(LayUPClassifier(ridge=1.0), given, X, y)
    assert_array_equal(by_task.rows, np.concatenate([train for train, _ in tasks]))


def test_points_without_test_samples_of_what_was_seen_are_nan(digits):
    X, y, X_test, y_test = digits
    tasks = class_incremental_tasks(y, y_test, 5, class_order=range(10))
    late = y_test >= 8
    result = evaluate_prequential(
        LayUPClassifier(ridge=1.0), online_batches(tasks, 50), X, y, X_test[late], y_test[late]
    )
    known = result.test_accuracy[~np.isnan(result.test_accuracy)]
    assert 0 < len(known) < len(result.test_accuracy) and result.anytime_accuracy == known.mean()


def test_curves_of_samples_say_so(digits):
    pytest.importorskip("matplotlib")
    X, y, _, _ = digits
    tasks = online_batches(class_incremental_tasks(y, y, 2), 100)
    result = evaluate_prequential(LayUPClassifier(ridge=1.0), tasks, X, y)
    display = AccuracyCurvesDisplay.from_results({"one": result, "runs": (result, result)})
    assert display.ax_.get_xlabel() == "samples learned"
    for line in display.lines_:
        assert_array_equal(line.get_ydata(), result.accuracy)
