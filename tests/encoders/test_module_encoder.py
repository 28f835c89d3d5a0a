import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from layup_sklearn import FeatureCache, ImageEncoder, LayUPClassifier, ModuleEncoder
from layup_sklearn.encoders._timm import import_timm

timm = import_timm()
import torch
from torch import nn


def preprocess(picture):
    """Tensor of shape (3, 16, 16)."""
    pixels = torch.tensor(np.asarray(picture.resize((16, 16))))
    return pixels.permute(2, 0, 1) / 255


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.pair = nn.ModuleDict({"wide": nn.Conv2d(4, 6, 3), "unused": nn.Linear(1, 1)})
        self.drop = nn.Dropout()
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.head = nn.Linear(5, 7)
        self.volume = nn.Identity()
        self.calls = []

    def forward(self, x):
        self.calls.append(len(x))
        x = self.drop(self.pair["wide"](self.stem(x).relu()))
        self.volume(x[..., None])
        x, _ = self.lstm(x.flatten(2).transpose(1, 2))
        return self.head(x[:, -1])


@pytest.fixture
def module():
    torch.manual_seed(0)
    return Network()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (8, 20, 30, 3), dtype=np.uint8)


LAYERS = ["stem", "pair.wide", "lstm", "head"]


@pytest.mark.parametrize("pool", ["avg", "avg+std"])
def test_every_kind_of_output_deepest_first(pool, module, images):
    encoder = ModuleEncoder(module, LAYERS, preprocess, pool=pool, batch_size=3)
    features = encoder.fit_transform(images)

    def over(states, dim):
        both = [states.mean(dim), states.std(dim, correction=0)]
        return torch.cat(both[: len(pool.split("+"))], dim=1)

    x = torch.stack([preprocess(Image.fromarray(image)) for image in images])
    module.eval()
    with torch.inference_mode():
        stem = module.stem(x)
        wide = module.pair["wide"](stem.relu())
        states, _ = module.lstm(wide.flatten(2).transpose(1, 2))
        expected = [
            module.head(states[:, -1]),
            over(states, 1),
            over(wide, (2, 3)),
            over(stem, (2, 3)),
        ]
    assert_allclose(features, np.hstack(expected), rtol=1e-5, atol=1e-6)
    assert encoder.layer_sizes_ == [part.shape[1] for part in expected]
    assert features.dtype == np.float32


def test_same_as_an_image_encoder(images):
    plain = ImageEncoder(
        "test_vit",
        pretrained=False,
        n_layers=3,
        image_size=32,
        pool="token",
        layer_norm=False,
        device="cpu",
    )
    network = plain._network().module
    config = {**timm.data.resolve_model_data_config(network), "input_size": (3, 32, 32)}
    layers = [f"blocks.{i}" for i in range(6)]
    own = ModuleEncoder(
        network,
        layers,
        timm.data.create_transform(**config, is_training=False),
        n_layers=3,
        pool="token",
    )
    assert_allclose(own.transform(images), plain.transform(images), rtol=1e-5, atol=1e-6)
    for encoder in own, plain:
        encoder.set_params(layer_norm=True, precision="bfloat16")
    own.set_params(pool=lambda tokens: tokens[:, 1:].float().mean(1))
    plain.set_params(pool="avg")
    assert_allclose(own.transform(images), plain.transform(images), rtol=1e-3, atol=1e-3)


def test_clones_share_the_module_and_pickles_carry_it(module, images):
    encoder = ModuleEncoder(module, LAYERS, preprocess).set_output(transform="pandas")
    twin = clone(encoder)
    assert twin.module is module and twin is not encoder
    assert list(twin.fit_transform(images).columns[:1]) == ["moduleencoder0"]
    again = pickle.loads(pickle.dumps(encoder))
    assert again.module is not module
    assert_array_equal(again.transform(images), encoder.transform(images))


def test_grid_search_with_a_cache_is_one_pass_an_image(module, images):
    encoder = ModuleEncoder(module, LAYERS, preprocess, memory=FeatureCache()).fit()
    module.calls.clear()
    grid = {"encoder__n_layers": [1, 2, 4], "ridge": [0.1, 1.0]}
    y = [0, 1] * 4
    search = GridSearchCV(LayUPClassifier(encoder), grid, cv=2, error_score="raise").fit(images, y)
    assert sum(module.calls) == 8
    assert search.best_estimator_.encoder_.module is module


def test_the_cache_knows_other_weights_and_other_preprocessing(module, images):
    cache = FeatureCache()
    encoder = ModuleEncoder(module, LAYERS, preprocess, memory=cache)
    before = encoder.transform(images)
    with torch.no_grad():
        module.stem.weight.data *= 2
    fresh = ModuleEncoder(module, LAYERS, preprocess)
    assert_allclose(encoder.transform(images), fresh.transform(images), rtol=1e-5, atol=1e-6)
    assert (encoder.transform(images) != before).any()
    assert len(cache) == 16
    encoder.set_params(preprocess=lambda picture: 2 * preprocess(picture)).transform(images)
    assert len(cache) == 24
    assert encoder.fingerprint() != fresh.fingerprint()
    assert encoder.set_params(preprocess=preprocess).fingerprint() == fresh.fingerprint()


def test_evaluation_mode_and_type_of_the_module(module, images):
    features = ModuleEncoder(module.train(), LAYERS, preprocess).transform(images)
    assert not module.drop.training
    double = ModuleEncoder(module.double(), LAYERS, preprocess).transform(images)
    assert double.dtype == np.float32
    assert_allclose(double, features, rtol=1e-4, atol=1e-5)


def lock_and_mean(lock):
    return lambda x: lock and x.mean((2, 3))


def torn(picture):
    return np.zeros((3, 16, picture.width % 50), np.float32)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"layers": ["pair.wid"]}, "no layer 'pair.wid'. Did you mean 'pair.wide'"),
        ({"layers": ["pair.unused"]}, "'pair.unused' takes no part"),
        ({"layers": []}, "layers is empty"),
        ({"layers": ["volume"]}, r"'volume' gives shape \(1, 6, 12, 12, 1\).* give a function"),
        ({"pool": "token"}, "'stem' gives shape .* give a function"),
        ({"pool": lambda x: x.mean(-1).numpy()}, "makes a ndarray of the layer 'stem'"),
        ({"pool": lock_and_mean(threading.Lock())}, "pool=.* must be picklable"),
        ({"pool": lambda x: x.sum()}, "not \\(n_images, width\\)"),
        ({"n_layers": 5}, "n_layers=5, but this ModuleEncoder has 4 layers"),
        ({"n_layers": 6}, "n_layers=6, but this ModuleEncoder has 4 layers"),
        ({"preprocess": lambda picture: 1 / 0}, "fails on a test picture of 320 x 240.*ZeroDiv"),
        ({"module": None}, "'module' parameter"),
        ({"preprocess": 1}, "'preprocess' parameter"),
    ],
)
def test_bad_parameters(params, message, module):
    with pytest.raises(ValueError, match=message):
        ModuleEncoder(module, LAYERS, preprocess).set_params(**params).fit()


def test_preprocessing_to_several_shapes_is_one_clear_error(module):
    images = [np.zeros((20, width, 3), np.uint8) for width in (20, 20, 25)]
    with pytest.raises(ValueError, match=r"X\[2\]: preprocessing gives shape \(3, 16, 25\), but"):
        ModuleEncoder(module, ["stem"], torn).transform(images)


def test_layers_that_are_read_leave_no_hooks(module, images):
    ModuleEncoder(module, LAYERS, preprocess).transform(images)
    with pytest.raises(ValueError):
        ModuleEncoder(module, ["stem", "pair.unused"], preprocess).transform(images)
    assert not any(layer._forward_hooks for layer in module.modules())


def test_layers_are_read_before_the_next_one_works_in_place(images):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(True), nn.Conv2d(4, 5, 3), nn.Flatten())
    module.append(nn.ReLU(True))
    features = ModuleEncoder(module, ["0", "3"], preprocess).transform(images)
    x = torch.stack([preprocess(Image.fromarray(image)) for image in images])
    with torch.no_grad():
        maps = module[0](x)
        expected = np.hstack([module[2](maps.relu()).flatten(1), maps.mean((2, 3))])
    assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def times(factor):
    return lambda maps: factor * maps.float().mean((2, 3))


def test_pooling_by_functions_is_known_by_what_they_do(module, images, tmp_path):
    for factor in (1, 2, 3, 2):
        pool = times(factor)
        encoder = ModuleEncoder(module, ["stem"], preprocess, pool=pool, memory=tmp_path)
        plain = ModuleEncoder(module, ["stem"], preprocess, pool=pool)
        assert_array_equal(encoder.transform(images), plain.transform(images))
    assert len(FeatureCache(tmp_path)) == 3 * len(images)
    marks = set()
    for bias in (0.0, 1.0, 0.0):
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        nn.init.zeros_(pool[2].weight), nn.init.constant_(pool[2].bias, bias)
        marks.add(ModuleEncoder(module, ["stem"], preprocess, pool=pool).fingerprint())
    assert len(marks) == 2


def test_what_a_module_does_not_print_is_part_of_it(images):
    def tokens(picture):
        return np.asarray(picture.resize((8, 16)), np.float32).reshape(16, 24) / 255

    cache, found = FeatureCache(), []
    for norm_first in (False, True):  # neither printed nor a number
        torch.manual_seed(0)
        block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=norm_first)
        module = nn.Sequential(nn.Linear(24, 32), block)
        cached, plain = (ModuleEncoder(module, ["1"], tokens, memory=m) for m in (cache, None))
        assert_allclose(cached.transform(images), plain.transform(images), rtol=1e-4, atol=1e-5)
        found.append(cached.fingerprint())
        block.train()
        assert cached.fingerprint() == found[-1]
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "layers, side, n_channels",
    [
        (
            [nn.Conv2d(3, 16, 3), *(nn.Conv2d(16, 16, 3) for _ in range(3))],
            (32, 48),
            16,
        ),  # a map of 24 x 40
        ([nn.Conv2d(3, 16, 3, padding=1), nn.MaxPool2d((2, 1))], (64, 128), 16),  # of a text line
        ([nn.Conv2d(3, 128, 7, 2), nn.MaxPool2d(3, 2, ceil_mode=True)], (128, 32), 128),
    ],
)
def test_channels_come_first_where_they_may(layers, side, n_channels, images):
    def pixels(picture):
        return np.moveaxis(np.asarray(picture.resize(side[::-1]), np.float32), -1, 0) / 255

    module = nn.Sequential(*layers)
    encoder = ModuleEncoder(module, [str(len(layers) - 1)], pixels, layer_norm=False)
    with torch.no_grad():
        inputs = torch.tensor(np.stack([pixels(Image.fromarray(image)) for image in images]))
        expected = module(inputs).mean(dim=(2, 3))
    assert expected.shape[1] == n_channels
    assert_allclose(encoder.fit_transform(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("result", [{"pixels": 1}, None, "pixels"])
def test_preprocess_gives_numbers(result, module):
    encoder = ModuleEncoder(module, ["stem"], lambda picture: result)
    with pytest.raises(ValueError, match="preprocess fails .* array or tensor of numbers"):
        encoder.fit()


def test_preprocess_may_give_any_tensor(module, images):
    plain = ModuleEncoder(module, ["stem"], preprocess).fit_transform(images)
    for kind in (lambda x: x.requires_grad_(), lambda x: x.bfloat16()):
        found = ModuleEncoder(module, ["stem"], lambda p: kind(preprocess(p))).fit_transform(images)
        assert_allclose(found, plain, atol=2e-2)


def test_widths_follow_the_module_and_the_preprocessing(images):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    encoder = ModuleEncoder(module, ["0", "1"], preprocess).fit()
    assert encoder.layer_sizes_ == [4 * 14 * 14, 4]
    encoder.set_params(preprocess=lambda picture: preprocess(picture)[:, ::2, ::2])
    assert encoder.fit().layer_sizes_ == [4 * 6 * 6, 4]
    module[0] = nn.Conv2d(3, 5, 3)
    assert encoder.fit().layer_sizes_ == [5 * 6 * 6, 5]
    assert encoder.transform(images).shape == (8, 5 * 6 * 6 + 5)
    encoder.set_params(preprocess=lambda picture: np.asarray(preprocess(picture))[::-1])
    assert encoder.transform(images).shape == (8, 4 * 14 * 14 // 4 * 5 + 5)


def test_an_image_that_preprocess_cannot_take_is_named(module, images):
    def picky(picture):
        assert picture.width > 20, "too narrow"
        return preprocess(picture)

    narrow = [*images[:2], images[2][:, :10]]
    with pytest.raises(ValueError, match=r"X\[2\]: preprocess fails: AssertionError"):
        ModuleEncoder(module, ["stem"], picky).transform(narrow)


def test_a_module_can_be_trained_after_it_was_read(images):
    class WithGrid(nn.Conv2d):
        grid = None

        def forward(self, x):
            self.grid = torch.ones_like(x) if self.grid is None else self.grid
            return super().forward(x * self.grid[:1])

    module = nn.Sequential(WithGrid(3, 4, 3))
    ModuleEncoder(module, ["0"], preprocess).transform(images)
    module(torch.rand(2, 3, 16, 16, requires_grad=True)).sum().backward()
    assert module[0].weight.grad is not None


def test_extra_state_belongs_to_the_weights():
    class WithState(nn.Conv2d):
        state = 1

        def get_extra_state(self):
            return {"scale": self.state}

    module = nn.Sequential(WithState(3, 4, 3))
    mark = ModuleEncoder(module, ["0"], preprocess).fingerprint()
    module[0].state = 2
    assert ModuleEncoder(module, ["0"], preprocess).fingerprint() != mark


def test_maps_with_channels_last():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 5, 3)
            self.last = nn.Identity()

        def forward(self, x):
            return self.last(self.first(x).permute(0, 2, 3, 1))

    images = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    for shape in ((16, 16), (16, 24)):

        def resized(picture, shape=shape):
            return np.moveaxis(np.asarray(picture.resize(shape), np.float32), -1, 0)

        encoder = ModuleEncoder(Last(), ["first", "last"], resized).fit()
        features = encoder.transform(images)
        assert encoder.layer_sizes_ == [5, 5]
        assert_allclose(features[:, :5], features[:, 5:], rtol=1e-5)


FORKS = """
import os, signal, sys, threading, time
import numpy as np, torch
from layup_sklearn import FeatureCache, ImageEncoder, ModuleEncoder

torch.set_num_threads(1)
images = np.zeros((6, 40, 48, 3), np.uint8)

def preprocess(picture):
    return np.moveaxis(np.asarray(picture.resize((96, 96)), np.float32), -1, 0) / 255

module = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.Conv2d(32, 32, 3)).eval()
network = ImageEncoder("test_vit", pretrained=False, image_size=32, device="cpu")
for encoder in (
    ModuleEncoder(module, ["1"], preprocess),
    network,
    network.set_params(memory=FeatureCache()),
):
    expected, done = encoder.transform(images[:1]), threading.Event()

    def work():
        while not done.is_set():
            encoder.transform(images)

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(int(sys.argv[1])):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(int(not np.array_equal(encoder.transform(images[:1]), expected)))
        status = os.waitpid(child, 0)[1]
        if status:
            os._exit(1)
    done.set()
    thread.join()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_processes_forked_while_a_thread_embeds_go_on():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", FORKS, "17"]
    assert subprocess.run(command, check=False, env=environment).returncode == 0
