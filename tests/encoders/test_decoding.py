import time
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone

from layup_sklearn import ImageEncoder
from layup_sklearn.encoders import _image_encoder
from layup_sklearn.encoders._decoding import decoded_batches
from layup_sklearn.encoders._images import ImageReadError

CPU, CUDA = SimpleNamespace(type="cpu"), SimpleNamespace(type="cuda")
TINY = ImageEncoder(
    "test_vit", pretrained=False, image_size=32, pool="token", layer_norm=False, device="cpu"
)


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_batches_come_whole_and_in_order(device):
    images, decode = list(range(10)), lambda x, i: np.array([x, i])
    batches = list(decoded_batches(images, [7, 0, 3, 9, 1], decode, 2, device=device))
    assert [positions for positions, _ in batches] == [[7, 0], [3, 9], [1]]
    assert_array_equal(np.concatenate([p for _, p in batches]), [[i, i] for i in (7, 0, 3, 9, 1)])
    assert list(decoded_batches(images, [], None, 2, device=device)) == []


@pytest.mark.parametrize("device, n_decoded", [(CPU, 10), (CUDA, 20)])
def test_one_batch_is_decoded_ahead_for_accelerators_only(device, n_decoded):
    decoded = []

    def decode(image, position):
        decoded.append(position)
        return np.zeros(1)

    batches = decoded_batches(list(range(1000)), range(1000), decode, 10, device=device)
    next(batches)
    deadline = time.monotonic() + 10
    while len(decoded) < n_decoded and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # for more of them, if there were
    batches.close()
    assert len(decoded) == n_decoded


def test_an_error_names_the_image_and_ends_the_threads():
    def decode(image, position):
        if position == 5:
            raise ImageReadError(position, "torn")
        return np.zeros(1)

    batches = decoded_batches(list(range(9)), range(9), decode, 3, device=CUDA)
    next(batches)
    with pytest.raises(ImageReadError, match=r"X\[5\]: torn"):
        next(batches)
    assert list(batches) == []


def test_memory_that_runs_out_halves_the_batches(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
    expected = TINY.transform(images)
    layer_features, sizes = _image_encoder.layer_features, []

    def small(network, pixels, *args):
        sizes.append(len(pixels))
        if len(pixels) > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return layer_features(network, pixels, *args)

    monkeypatch.setattr(_image_encoder, "layer_features", small)
    with pytest.warns(UserWarning, match="Memory ran out with 8 images") as warnings:
        features = clone(TINY).set_params(batch_size=8).transform(images)
    assert len(warnings) == 1
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    assert_allclose(features, expected, rtol=1e-4, atol=1e-5)

    def none(network, pixels, *args):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(_image_encoder, "layer_features", none)
    with pytest.warns(UserWarning), pytest.raises(RuntimeError, match="out of memory"):
        TINY.transform(images)


def test_other_errors_of_the_network_pass(monkeypatch):
    def broken(network, pixels, *args):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(_image_encoder, "layer_features", broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        TINY.transform(np.zeros((2, 32, 32, 3), np.uint8))


def test_bfloat16_has_the_stated_error():
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    exact = TINY.transform(images)
    features = clone(TINY).set_params(precision="bfloat16").transform(images)
    assert features.dtype == np.float32
    error = np.linalg.norm(features - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert 0 < error.max() < 0.03


def test_progress_shows_images_per_second(capsys):
    clone(TINY).set_params(verbose=1).transform(np.zeros((5, 32, 32, 3), np.uint8))
    assert "5/5" in (text := capsys.readouterr().err) and "image/s" in text


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    Image.new("RGB", (50, 50)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with pytest.raises(ImageReadError, match="MAX_IMAGE_PIXELS|exceeds limit"):
        TINY.transform([path])
