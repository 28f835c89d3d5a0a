import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline

from _helpers import Layers, make_samples
from layup_sklearn import AdaptedImageEncoder, ImageEncoder, LayUPClassifier
from layup_sklearn.explanation import (
    ExplanationDisplay,
    layer_contributions,
    patch_contributions,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 3), dtype=np.uint8)
LABELS = np.array(["cat", "dog", "owl"] * 2)
POOLED = {  # every way to pool means, of patches and of maps
    "vit": ImageEncoder("test_vit", n_layers=3),
    "vit, raw": ImageEncoder("test_vit", n_layers=2, layer_norm=False),
    "vit, spread": ImageEncoder("test_vit", pool="avg+std", layers="spread"),
    "resnet": ImageEncoder("test_resnet", n_layers=3),
    "resnet, normalised": ImageEncoder("test_resnet", layer_norm=True, layers="spread", n_layers=2),
}
for encoder in POOLED.values():
    encoder.set_params(pretrained=False, device="cpu", precision="float32")


@given(
    seed=st.integers(0, 99),
    rule=st.sampled_from(["gaussian", "ridge"]),
    n_layers=st.sampled_from([1, 2, None]),
    n_classes=st.sampled_from([1, 2, 4]),
    hidden=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_layers_add_up_to_the_scores(seed, rule, n_layers, n_classes, hidden):
    X, y = make_samples(labels=range(n_classes), seed=seed)
    priors = {0: 0, 1: 0.3} if hidden and rule == "gaussian" and n_classes > 2 else None
    classifier = LayUPClassifier(
        Layers((2, 3)), n_layers=n_layers, ridge=1.0, rule=rule, priors=priors
    ).partial_fit(X, y, classes=[7, 8, 9] if n_classes > 2 else None)
    contributions, baseline = layer_contributions(classifier, X)
    assert contributions.shape == (40, classifier.n_layers_, len(classifier.classes_))
    scores = contributions.sum(axis=1) + baseline
    if n_classes == 2:
        scores = scores[:, 1] - scores[:, 0]
    assert_allclose(scores, classifier.decision_function(X), rtol=1e-9, atol=1e-9)


def test_a_layer_speaks_only_of_itself_and_the_reference_says_nothing():
    X, y = make_samples()
    classifier = LayUPClassifier(Layers((2, 3)), ridge=1.0).fit(X, y)
    contributions, baseline = layer_contributions(classifier, X)
    moved = layer_contributions(classifier, X + [0, 0, 5, 5, 5])[0]
    assert_allclose(moved[:, 0], contributions[:, 0])
    assert not np.allclose(moved[:, 1], contributions[:, 1])
    reference = np.array([X[y == label].mean(axis=0) for label in range(4)]).mean(axis=0)
    assert_allclose(layer_contributions(classifier, [reference])[0], 0, atol=1e-9)
    assert_allclose(classifier.decision_function([reference])[0], baseline)


def test_rows_that_wait_and_ready_features():
    X, y = make_samples()
    classifier = LayUPClassifier(ridge=1.0).fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    joint = LayUPClassifier(ridge=1.0).fit(X, y)
    for ours, theirs in zip(layer_contributions(classifier, X), layer_contributions(joint, X)):
        assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize("kind", POOLED)
@pytest.mark.parametrize("rule", ["gaussian", "ridge"])
def test_patches_add_up_to_layers_and_scores(kind, rule):
    pytest.importorskip("torch")
    classifier = LayUPClassifier(POOLED[kind], ridge=1.0, rule=rule).fit(PIXELS, LABELS)
    for image in PIXELS[:2]:
        found = patch_contributions(classifier, image)
        [layers], baseline = layer_contributions(classifier, image[np.newaxis])
        scale = np.abs(layers).max()
        assert_allclose(found.layers, layers, rtol=1e-4, atol=1e-4 * scale)
        assert_array_equal(found.baseline, baseline)
        scores = classifier.decision_function(image[np.newaxis])[0]
        assert_allclose(found.layers.sum(axis=0) + baseline, scores, atol=1e-3 * scale)
        assert len(found.maps) == classifier.n_layers_ == len(found.spread)
        assert found.spread.any() == (kind not in ("vit", "vit, raw"))
        assert found.picture.dtype == np.uint8 and found.picture.shape[2] == 3


def test_maps_say_where():
    """A patch of a first layer, which sees nothing else, speaks where it stands."""
    pytest.importorskip("torch")
    encoder = ImageEncoder(
        "test_resnet", pretrained=False, device="cpu", pool="avg", layers="spread"
    )
    classifier = LayUPClassifier(encoder, ridge=1.0).fit(PIXELS, LABELS)
    side = patch_contributions(classifier, PIXELS[0]).picture.shape[0]
    image = np.full((side, side, 3), 128, np.uint8)
    image[: side // 4, : side // 4] = 255
    plain, marked = (
        patch_contributions(classifier, each).maps for each in (np.full_like(image, 128), image)
    )
    finest = max(range(len(plain)), key=lambda i: len(plain[i]))
    changed = np.abs(plain[finest] - marked[finest]).sum(axis=2)
    half = len(changed) // 2
    assert changed[:half, :half].sum() > 0.9 * changed.sum()


def test_fewer_layers_in_use_and_adapted_networks():
    pytest.importorskip("torch")
    frozen = ImageEncoder(
        "test_vit", pretrained=False, image_size=32, n_layers=2, device="cpu", precision="float32"
    )
    adapted = AdaptedImageEncoder(frozen, method="ssf", epochs=1, random_state=0)
    for encoder, n_layers in ((frozen, 1), (adapted, None)):
        classifier = LayUPClassifier(encoder, n_layers=n_layers, ridge=1.0).fit(PIXELS, LABELS)
        found = patch_contributions(classifier, PIXELS[0])
        [layers], _ = layer_contributions(classifier, PIXELS[:1])
        assert_allclose(found.layers, layers, atol=1e-4 * np.abs(layers).max())


def test_what_has_no_patches_is_one_clear_error():
    pytest.importorskip("torch")
    token = ImageEncoder("test_vit", pretrained=False, device="cpu", pool="token")
    X, y = make_samples()
    for classifier, message in (
        (LayUPClassifier(token, ridge=1.0).fit(PIXELS, LABELS), "over no positions"),
        (LayUPClassifier(ridge=1.0).fit(X, y), "without an encoder"),
        (LayUPClassifier(make_pipeline(POOLED["vit"]), ridge=1.0).fit(PIXELS, LABELS), "Pipeline"),
    ):
        with pytest.raises(ValueError, match=message):
            patch_contributions(classifier, PIXELS[0])


def test_display():
    plt = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("torch")
    classifier = LayUPClassifier(POOLED["resnet"], ridge=1.0).fit(PIXELS, LABELS)
    display = ExplanationDisplay.from_estimator(classifier, PIXELS[0])
    scores = classifier.decision_function(PIXELS[:1])[0]
    first, second = np.argsort(-scores)[:2]
    assert (display.label, display.against) == tuple(classifier.classes_[[first, second]])
    total = display.heat_.sum() + display.spread.sum() + display.baseline
    assert_allclose(total, scores[first] - scores[second], rtol=1e-3)
    assert len(display.axes_) == 3 and len(display.bars_) == 2
    assert_allclose([bar.get_width() for bar in display.bars_[1]], display.spread)
    exchanged = ExplanationDisplay.from_estimator(
        classifier, PIXELS[0], label=display.against, against=display.label, axes=display.axes_
    )
    assert_allclose(exchanged.heat_, -display.heat_)
    assert exchanged.figure_ is display.figure_
    given = ExplanationDisplay.from_estimator(classifier, PIXELS[0], against=display.label)
    assert given.against == display.label and given.label == display.against
    for labels in ({"label": "fox"}, {"against": "fox"}):
        with pytest.raises(ValueError, match="'fox' is not among"):
            ExplanationDisplay.from_estimator(classifier, PIXELS[0], **labels)
    with pytest.raises(ValueError, match="both 'dog'"):
        ExplanationDisplay.from_estimator(classifier, PIXELS[0], label="dog", against="dog")
    plt.close("all")
    one = LayUPClassifier(POOLED["vit"], ridge=1.0).fit(PIXELS, ["cat"] * 6)
    with pytest.raises(ValueError, match="two classes"):
        ExplanationDisplay.from_estimator(one, PIXELS[0])
