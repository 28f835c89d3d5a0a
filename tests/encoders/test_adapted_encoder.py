import inspect
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from layup_sklearn import AdaptedImageEncoder, FeatureCache, ImageEncoder, LayUPClassifier
from layup_sklearn.encoders import _first_task, _training, _training_set
from layup_sklearn.encoders._augmentation import augmented, draw
from layup_sklearn.encoders._first_task import split_rows
from layup_sklearn.encoders._image_encoder import normalised
from layup_sklearn.encoders._timm import import_timm, layer_features, load_network
from layup_sklearn.evaluation import LayerCountDisplay, RidgePathDisplay

import_timm()
import torch

from layup_sklearn.encoders import _adapters

OPTIONS = {
    "pretrained": False,
    "image_size": 32,
    "n_layers": 3,
    "pool": "token",
    "layer_norm": False,
    "device": "cpu",
}
PLAIN = ImageEncoder("test_vit", **OPTIONS)
TINY = AdaptedImageEncoder(PLAIN, epochs=2, random_state=0)
METHODS = list(_adapters.ADAPTERS)
N = 18


@pytest.fixture(scope="module")
def images():
    """Red, green and blue noise."""
    images = np.random.default_rng(0).integers(0, 90, (N, 32, 32, 3), dtype=np.uint8)
    for i, image in enumerate(images):
        image[..., i % 3] += 90
    return images


@pytest.fixture(scope="module")
def labels():
    return np.array(["red", "green", "blue"] * (N // 3))


def base_network():
    source = {"pretrained": False, "checkpoint_path": None, "image_size": 32, "device": "cpu"}
    return load_network("test_vit", **source).module


def same_state(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_few_parameters_and_all_methods():
    assert len(inspect.signature(AdaptedImageEncoder).parameters) <= 8
    [methods] = AdaptedImageEncoder._parameter_constraints["method"]
    assert methods.options == set(METHODS)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_network_is_trained_in_the_precision(precision, images, labels, monkeypatch):
    forward_head, mixed = type(base_network()).forward_head, []

    def recording(self, features, **options):
        mixed.append(torch.is_autocast_enabled("cpu"))
        return forward_head(self, features, **options)

    monkeypatch.setattr(type(base_network()), "forward_head", recording)
    encoder = clone(TINY).set_params(encoder__precision=precision, epochs=1).fit(images, labels)
    assert set(mixed) == {precision == "bfloat16"}
    assert all(value.dtype == np.float32 for value in encoder.adapted_state_.values())


@pytest.mark.parametrize("method", METHODS)
def test_transform_is_what_the_trained_network_gives(method, images, labels, monkeypatch):
    trained = []

    class Recorded(_training.Training):
        def run(self):
            trained.append(self.network)
            return super().run()

    monkeypatch.setattr(_first_task, "Training", Recorded)
    encoder = clone(TINY).set_params(method=method).fit(images, labels)
    preprocess, mean, std = PLAIN._preprocessing(PLAIN._network())
    batch = torch.stack([preprocess(Image.fromarray(image)) for image in images])
    expected = layer_features(trained[0], normalised(batch, mean, std), [6, 5, 4], "token")
    assert_array_equal(encoder.transform(images), expected)
    assert np.abs(encoder.transform(images) - PLAIN.transform(images)).max() > 1e-3
    assert encoder.layer_sizes_ == [64] * 3


@pytest.mark.parametrize("method", METHODS)
def test_frozen_weights_stay(method, images, labels):
    network = base_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features = PLAIN.transform(images)
    clone(TINY).set_params(method=method).fit(images, labels).transform(images)
    assert network is base_network()
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert_array_equal(PLAIN.transform(images), features)


@pytest.mark.parametrize("method", METHODS)
def test_the_state_is_what_differs_and_travels(method, images, labels):
    encoder = clone(TINY).set_params(method=method).fit(images, labels)
    features, state = encoder.transform(images), encoder.adapted_state_
    plain = base_network().state_dict()
    assert all(type(value) is np.ndarray and value.dtype == np.float32 for value in state.values())
    if method in ("ssf", "lora"):
        assert all((value != plain[name].numpy()).any() for name, value in state.items())
    else:
        assert all("adapter" in name or "prompts" in name for name in state)
    data = pickle.dumps(encoder)
    assert b"torch" not in data
    assert len(data) < 5000 + sum(value.nbytes + 200 for value in state.values())
    for twin in (pickle.loads(data), clone(FrozenEstimator(encoder)).estimator):
        assert same_state(twin.adapted_state_, state)
        assert_array_equal(twin.transform(images), features)
        assert twin.history_ == encoder.history_


def test_readers_of_other_layers_need_no_new_fit(images, labels):
    encoder = clone(TINY).fit(images, labels)
    three = encoder.transform(images)
    assert_array_equal(encoder.set_params(encoder__n_layers=1).transform(images), three[:, :64])


def test_refit_replaces_the_network(images, labels):
    encoder = clone(TINY).fit(images, labels)
    first = encoder.transform(images)
    again = clone(encoder).set_params(random_state=1).fit(images, labels).transform(images)
    assert (first != again).any()
    assert_array_equal(
        encoder.set_params(random_state=1).fit(images, labels).transform(images), again
    )


@pytest.mark.parametrize("method", METHODS)
def test_random_state_settles_everything_and_leaves_the_global_numbers(method, images, labels):
    encoder = clone(TINY).set_params(method=method)
    states = []
    for seed in (5, 6):
        torch.manual_seed(seed)
        np.random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        states.append(clone(encoder).fit(images, labels).adapted_state_)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert_array_equal(np.random.get_state()[1], before[1])
    assert same_state(*states)
    other = clone(encoder).set_params(random_state=1).fit(images, labels).adapted_state_
    assert not same_state(states[0], other)


def script(monkeypatch, accuracies):
    """Let the epochs score as given; returns a copy of the parameters after each of them."""
    parameters, snapshots = {}, []
    insert = _adapters.ADAPTERS["vpt"]
    monkeypatch.setitem(
        _adapters.ADAPTERS, "vpt", lambda network: parameters.update(insert(network)) or parameters
    )

    def validation_scores(logits, y):
        snapshots.append(
            {name: value.detach().numpy().copy() for name, value in parameters.items()}
        )
        return {"validation_loss": 1.0, "validation_accuracy": accuracies[len(snapshots) - 1]}

    monkeypatch.setattr(_training, "validation_scores", validation_scores)
    return snapshots


@pytest.mark.parametrize("best", [0, 2, 4])
def test_the_best_epoch_is_the_one_in_use(best, images, labels, monkeypatch):
    accuracies = [0.5 - 0.1 * abs(epoch - best) for epoch in range(5)]
    snapshots = script(monkeypatch, accuracies)
    encoder = clone(TINY).set_params(method="vpt", epochs=5).fit(images, labels)
    assert same_state(encoder.adapted_state_, snapshots[best])
    assert [same_state(snapshots[best], snapshot) for snapshot in snapshots].count(True) == 1
    assert [epoch["validation_accuracy"] for epoch in encoder.history_] == accuracies
    assert [epoch["epoch"] for epoch in encoder.history_] == [1, 2, 3, 4, 5]


def test_patience(images, labels, monkeypatch):
    script(monkeypatch, [0.1, 0.3, 0.2, 0.2, 0.2, 0.9])
    encoder = clone(TINY).set_params(method="vpt", epochs=6, patience=3).fit(images, labels)
    assert len(encoder.history_) == 5


def test_every_picture_is_decoded_once_whatever_the_epochs(images, labels, monkeypatch):
    positions = []

    def read_image(image, position):
        positions.append(position)
        return Image.fromarray(image)

    monkeypatch.setattr(_training_set, "read_image", read_image)
    encoder = clone(TINY).set_params(epochs=3).fit(images, labels)
    assert sorted(positions) == list(range(N))
    assert len(encoder.history_) == 3


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_fit_goes_on_where_it_was(method, images, labels, tmp_path, monkeypatch):
    encoder = clone(TINY).set_params(method=method, epochs=4, random_state=0)
    whole = clone(encoder).fit(images, labels)
    scores, epochs = _training.validation_scores, []

    def interrupted(*args):
        epochs.append(1)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return scores(*args)

    encoder.set_params(encoder__memory=tmp_path)
    monkeypatch.setattr(_training, "validation_scores", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encoder.fit(images, labels)
    assert len(list(tmp_path.glob("adaptation-*.pt"))) == 1
    encoder.fit(images, labels)
    assert len(epochs) == 5  # two before the interrupt, and not these again
    assert same_state(encoder.adapted_state_, whole.adapted_state_)
    assert encoder.history_ == whole.history_
    assert not list(tmp_path.glob("adaptation-*"))


@pytest.mark.parametrize("method", METHODS)
def test_it_learns(method, images, labels):
    history = clone(TINY).set_params(method=method, epochs=12).fit(images, labels).history_
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]


def test_learning_uses_the_labels(images, labels):
    shuffled = labels[np.random.default_rng(0).permutation(N)]
    encoders = [clone(TINY).fit(images, y) for y in (labels, shuffled)]
    assert not same_state(*(encoder.adapted_state_ for encoder in encoders))
    renamed = np.unique(labels, return_inverse=True)[1] * 7 - 3
    assert same_state(encoders[0].adapted_state_, clone(TINY).fit(images, renamed).adapted_state_)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=6), st.floats(0, 0.9), st.integers(0, 99))
def test_split_is_a_stratified_partition(counts, fraction, seed):
    random_state = np.random.RandomState(seed)
    y = random_state.permutation(np.repeat(np.arange(len(counts)), counts))
    train, held_out = split_rows(y, fraction, random_state)
    assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(len(y)))
    kept = np.bincount(y[train], minlength=len(counts))
    assert kept.min() >= 1
    spare = np.array(counts) - 1
    assert len(held_out) == min(np.ceil(fraction * len(y)), spare.sum())
    if len(held_out):
        even = spare * len(held_out) / spare.sum()
        assert np.abs(np.bincount(y[held_out], minlength=len(counts)) - even).max() <= 1 + 1e-9


@pytest.mark.parametrize("fraction, size", [(0, N), (0.1, 3)])
def test_with_nothing_to_hold_out_the_last_epoch_is_taken(fraction, size, images, labels):
    encoder = clone(TINY).set_params(validation_fraction=fraction, patience=1, epochs=3)
    encoder.fit(images[:size], labels[:size])
    assert len(encoder.history_) == 3
    assert np.isnan([epoch["validation_accuracy"] for epoch in encoder.history_]).all()
    assert np.isfinite(encoder.transform(images)).all()


@pytest.mark.parametrize(
    "options, y, message",
    [
        ({}, None, "requires y to be passed"),
        ({}, ["a"] * N, "y holds 1 class, .*'a'.*; adaptation learns to tell classes apart"),
        ({}, [0, 1], "inconsistent numbers of samples"),
        ({}, np.linspace(0, 1, N), "Unknown label type: continuous"),
        ({"method": "adapter"}, None, "'method' parameter"),
        ({"epochs": 0}, None, "'epochs' parameter"),
        ({"validation_fraction": 1.0}, None, "'validation_fraction' parameter"),
        ({"learning_rate": 1e30}, [0, 1] * (N // 2), "The loss is nan in epoch .: lower"),
        (
            {"encoder__model": "test_efficientnet", "encoder__pool": "avg"},
            [0, 1] * (N // 2),
            "LoRA fits timm's",
        ),
        ({"encoder__n_layers": 9}, [0, 1] * (N // 2), "'test_vit' has 6 layers"),
    ],
)
def test_what_cannot_be_learned_is_said_and_changes_nothing(options, y, message, images):
    encoder = clone(TINY).set_params(**{"method": "lora", **options})
    with pytest.raises(ValueError, match=message):
        encoder.fit(images, y)
    assert vars(encoder).keys() == vars(clone(encoder)).keys()


def test_bad_images_are_named(images, labels, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(N)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    paths[5].write_bytes(paths[5].read_bytes()[:200])
    with pytest.raises(ValueError, match=r"X\[5\]: cannot read the image .*5.png"):
        clone(TINY).fit(paths, labels)


def test_an_interrupt_leaves_the_encoder_as_it_was(images, labels, monkeypatch):
    fitted = clone(TINY).fit(images, labels)
    before, reads = dict(vars(fitted)), []

    def read_image(image, position):
        reads.append(position)
        if len(reads) > N // 2:
            raise KeyboardInterrupt
        return Image.fromarray(image)

    monkeypatch.setattr(_training_set, "read_image", read_image)
    for encoder in (fresh := clone(TINY), fitted):
        reads.clear()
        with pytest.raises(KeyboardInterrupt):
            encoder.fit(images, labels)
    with pytest.raises(NotFittedError):
        fresh.transform(images)
    assert vars(fitted).keys() == before.keys()
    assert all(vars(fitted)[name] is value for name, value in before.items())


def test_unfitted_and_changed_encoders_say_so(images, labels):
    with pytest.raises(NotFittedError):
        clone(TINY).transform(images)
    encoder = clone(TINY).set_params(method="vpt").fit(images, labels)
    features = encoder.transform(images)
    for twin in (encoder, pickle.loads(pickle.dumps(encoder))):
        assert_array_equal(twin.set_params(method="lora").transform(images), features)
        with pytest.raises(ValueError, match="do not fit the model, which has changed since"):
            twin.set_params(encoder__model="vit_tiny_patch16_224").transform(images)


def augmented_copies(picture, n=60, ratio=1.0, side=32):
    pictures = torch.as_tensor(np.moveaxis(picture, -1, 0).copy()).repeat(n, 1, 1, 1)
    return augmented(pictures, *draw(np.full(n, ratio)), side, "bilinear")


def test_augmentation_changes_colours_a_little_and_flips_every_second_picture():
    grey = augmented_copies(np.full((37, 37, 3), 128, np.uint8))
    assert grey.shape == (60, 3, 32, 32) and grey.dtype == torch.float32
    assert (grey - 128).abs().max() < 30  # brightness and contrast within 10 %
    assert grey.std(dim=0).min() > 1
    half = np.zeros((37, 37, 3), np.uint8)
    half[:, 19:] = 255
    copies = augmented_copies(half)
    flipped = copies[..., :5].mean(dim=(1, 2, 3)) > copies[..., -5:].mean(dim=(1, 2, 3))
    assert 15 < flipped.sum() < 45
    assert copies.min() >= 0 and copies.max() <= 255
    coloured = augmented_copies(np.full((37, 37, 3), [200, 40, 40], np.uint8)).mean(dim=(2, 3))
    assert coloured.argmax(dim=1).eq(0).all()


@pytest.mark.parametrize("ratio", [0.2, 1.0, 1.7, 6.0])
def test_crops_hold_most_of_a_picture_in_a_usual_shape(ratio):
    ramp = np.linspace(60, 190, 131).astype(np.uint8)
    sides = []
    for grey in np.meshgrid(ramp, ramp):  # brightness says how much of a side a crop holds
        torch.manual_seed(0)
        copies = augmented_copies(np.stack([grey] * 3, axis=-1), 200, ratio)[:, 0]
        sides.append((copies.amax(dim=(1, 2)) - copies.amin(dim=(1, 2))).numpy() / 130)
    width, height = sides
    shape = width * ratio / height
    assert (shape > 0.72).all() and (shape < 1.38).all()  # 3/4 to 4/3
    if 0.75 < ratio < 4 / 3:
        area = width * height  # with contrast and brightness within 10 %, twice
        assert (area > 0.7 * 0.6).all() and area.std() > 0.03


def test_the_cache_knows_an_adapted_network_from_any_other(images, labels):
    cache = FeatureCache()
    plain = clone(PLAIN).set_params(memory=cache).transform(images)
    encoders = [
        clone(TINY).set_params(encoder__memory=cache, random_state=seed).fit(images, labels)
        for seed in (0, 1)
    ]
    features = [encoder.transform(images) for encoder in encoders]
    assert len(cache) == 3 * len(images)
    for encoder, values in zip(encoders, features):
        assert np.abs(values - plain[:, : values.shape[1]]).max() > 1e-3
        twin = pickle.loads(pickle.dumps(encoder.set_params(encoder__memory=None)))
        np.testing.assert_allclose(twin.transform(images), values, rtol=1e-4, atol=1e-5)
    marks = {encoder.fingerprint() for encoder in (PLAIN, *encoders)}
    assert len(marks) == 3


def test_classifier_adapts_on_its_first_call_alone(images, labels):
    first, later = labels != "blue", labels == "blue"
    classifier = LayUPClassifier(clone(TINY)).partial_fit(images[first], labels[first])
    state = classifier.encoder_.adapted_state_
    classifier.partial_fit(images[later], labels[later])
    assert classifier.encoder_.adapted_state_ is state
    encoder = clone(TINY).fit(images[first], labels[first])
    assert same_state(state, encoder.adapted_state_)
    ready = LayUPClassifier().fit(encoder.transform(images), labels)
    np.testing.assert_allclose(classifier.coef_, ready.coef_, rtol=1e-4, atol=1e-6)
    twin = pickle.loads(pickle.dumps(classifier))
    scores = classifier.decision_function(images)
    np.testing.assert_allclose(twin.decision_function(images), scores, rtol=1e-9, atol=1e-12)


def test_classifier_needs_two_classes_at_first(images, labels):
    classifier = LayUPClassifier(clone(TINY))
    with pytest.raises(ValueError, match="let the first call hold at least two"):
        classifier.partial_fit(images[:1], labels[:1])
    assert not hasattr(classifier, "encoder_")
    classifier.partial_fit(images[:2], labels[:2]).partial_fit(images[2:3], labels[2:3])
    assert len(classifier.classes_) == 3


def test_cross_validation_adapts_in_every_fold(images, labels):
    classifier = LayUPClassifier(clone(TINY).set_params(epochs=1))
    assert len(cross_val_score(classifier, images, labels, cv=2, error_score="raise")) == 2


def test_progress_only_when_verbose(images, labels, capsys):
    encoder = clone(TINY).set_params(epochs=1).fit(images, labels)
    assert capsys.readouterr() == ("", "")
    encoder.set_params(encoder__verbose=1).fit(images, labels)
    text = capsys.readouterr().err
    assert "step/s" in text and "validation_accuracy" in text


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learn_checks_that_need_no_data(check):
    check("AdaptedImageEncoder", clone(TINY))


def test_parameters_of_old_files(images, labels):
    flat = {**PLAIN.get_params(), "method": "lora", "epochs": 3, "random_state": 7}
    encoder = AdaptedImageEncoder.of_parameters(flat)
    assert repr(encoder) == repr(
        AdaptedImageEncoder(PLAIN, method="lora", epochs=3, random_state=7)
    )
    assert AdaptedImageEncoder.of_parameters({"epochs": 4}).epochs == 4


def test_adapts_the_default_encoder(monkeypatch):
    with pytest.raises(ValueError, match="'encoder' parameter"):
        AdaptedImageEncoder("test_vit").fit([], [])
    assert AdaptedImageEncoder().encoder is None


@pytest.mark.parametrize(
    "caller", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)]
)
@pytest.mark.parametrize("method", ["lora", "ssf"])
def test_what_the_caller_has_set_changes_no_adaptation(caller, method, images, labels):
    encoder = clone(TINY).set_params(method=method)
    expected = clone(encoder).fit(images, labels).transform(images)
    with caller():
        found = encoder.fit(images, labels).transform(images)
    assert_array_equal(found, expected)


def replacing(after):
    """`os.replace`, and then something with the file."""
    replace = os.replace

    def replaced(source, target):
        replace(source, target)
        after(target)

    return replaced


def cut_off(path):
    os.truncate(path, 100)
    raise KeyboardInterrupt


@pytest.mark.parametrize("trouble", ["the folder is a file", "the file is damaged"])
def test_a_training_goes_on_without_its_file(trouble, images, labels, tmp_path, monkeypatch):
    folder = tmp_path / "features"
    encoder = clone(TINY).set_params(encoder__memory=str(folder))
    if trouble == "the folder is a file":
        folder.write_text("not a folder")
    else:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", replacing(cut_off))
            clone(encoder).fit(images, labels)
    with pytest.warns(UserWarning, match=r"cannot be kept in '.*adaptation-\w+.pt'"):
        encoder.fit(images, labels)
    assert_same_state(encoder, clone(TINY).fit(images, labels))


def test_another_process_may_end_the_same_training(images, labels, tmp_path, monkeypatch):
    encoder = clone(TINY).set_params(encoder__memory=str(tmp_path))
    monkeypatch.setattr(os, "replace", replacing(os.unlink))
    assert_same_state(encoder.fit(images, labels), clone(TINY).fit(images, labels))


def assert_same_state(encoder, other):
    assert encoder.adapted_state_.keys() == other.adapted_state_.keys()
    for name, value in other.adapted_state_.items():
        assert_array_equal(encoder.adapted_state_[name], value)


def test_an_encoder_out_of_a_file_can_be_fitted_anew(images, labels, tmp_path):
    LayUPClassifier(clone(TINY), ridge=1.0).fit(images, labels).save(tmp_path / "model")
    encoder = LayUPClassifier.load(tmp_path / "model").encoder_
    other = np.roll(labels, 1)
    expected = clone(TINY).fit(images, other).transform(images)
    assert_array_equal(encoder.fit(images, other).transform(images), expected)


def test_displays_leave_the_encoder_as_it_was(images, labels):
    pytest.importorskip("matplotlib")
    adapted = LayUPClassifier(clone(TINY), ridge=1.0).fit(images, labels)
    LayerCountDisplay.from_estimator(adapted, images, y=labels)
    assert adapted.encoder_.encoder.memory is None
    plain = LayUPClassifier(make_pipeline(clone(PLAIN), FunctionTransformer())).fit(images, labels)
    RidgePathDisplay.from_estimator(plain)
    assert plain.encoder_[0].memory is None
