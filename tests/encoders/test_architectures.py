"""Features of the families of timm against forward hooks, pooled by hand."""

import functools
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone

from layup_sklearn import ImageEncoder, LayUPClassifier
from layup_sklearn.encoders import _timm
from layup_sklearn.encoders._timm import import_timm

timm = import_timm()
import torch

BLOCKS = {"depth": 3, "embed_dim": 48, "num_heads": 3}
SWIN = {"depths": (1, 1, 2, 1), "embed_dim": 16, "num_heads": (1, 2, 2, 4)}
# model, image_size, smaller than published, outputs of its layers, class tokens, registers
TABLE = [
    ("vit_tiny_patch16_224", 32, BLOCKS, "NLC", 1, 0),
    ("deit_tiny_distilled_patch16_224", 32, BLOCKS, "NLC", 2, 0),
    ("vit_small_patch14_dinov2", 28, BLOCKS, "NLC", 1, 0),
    ("vit_small_patch14_reg4_dinov2", 28, BLOCKS, "NLC", 1, 4),
    ("vit_small_patch16_dinov3", 32, BLOCKS, "NLC", 1, 4),
    ("vit_base_patch32_clip_224", 64, BLOCKS, "NLC", 1, 0),
    ("vit_base_patch32_siglip_256", 64, BLOCKS, "NLC", 0, 0),
    ("vit_dwee_patch16_reg1_gap_256", 32, BLOCKS, "NLC", 0, 1),
    ("vit_relpos_small_patch16_224", 32, BLOCKS, "NLC", 0, 0),
    ("eva02_tiny_patch14_224", 28, BLOCKS, "NLC", 1, 0),
    ("beit_base_patch16_224", 32, BLOCKS, "NLC", 1, 0),
    ("swin_tiny_patch4_window7_224", 64, SWIN, "NHWC", 0, 0),
    ("swinv2_tiny_window8_256", 64, SWIN, "NHWC", 0, 0),
    ("convnext_atto", 64, {"depths": (1, 1, 2, 1)}, "NCHW", 0, 0),
    ("efficientnet_b0", 64, {}, "NCHW", 0, 0),
    ("resnet18", 64, {"channels": (16, 24, 32, 48)}, "NCHW", 0, 0),
    ("resnet50", 64, {"channels": (8, 12, 16, 24)}, "NCHW", 0, 0),
    ("mobilenetv2_035", 64, {}, "NCHW", 0, 0),
    ("mobilenetv3_small_050", 64, {}, "NCHW", 0, 0),
    ("mobilenetv4_conv_small_035", 64, {}, "NCHW", 0, 0),
]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 70, 90, 3), dtype=np.uint8)


@pytest.fixture
def small_networks(monkeypatch):
    """Give a function that makes timm build smaller networks."""

    def shrink(options):
        monkeypatch.setattr(timm, "create_model", functools.partial(timm.create_model, **options))

    _timm._load_network.cache_clear()
    yield shrink
    _timm._load_network.cache_clear()


def hooked(encoder, images):
    """Outputs of all layers by forward hooks, deepest first."""
    network, outputs = encoder._network().module, []
    hooks = [
        network.get_submodule(info["module"]).register_forward_hook(
            lambda *args: outputs.append(args[2])
        )
        for info in network.feature_info
    ]
    config = timm.data.resolve_model_data_config(network)
    config["input_size"] = (3, encoder.image_size, encoder.image_size)
    preprocess = timm.data.create_transform(**config, is_training=False)
    with torch.inference_mode():
        network(torch.stack([preprocess(Image.fromarray(image)) for image in images]))
    for hook in hooks:
        hook.remove()
    return outputs[::-1]


@pytest.mark.parametrize(
    "name, image_size, smaller, layout, n_class_tokens, n_registers", TABLE, ids=str
)
def test_features_are_those_of_hooks(
    name, image_size, smaller, layout, n_class_tokens, n_registers, images, small_networks
):
    small_networks(smaller)
    encoder = ImageEncoder(
        name, pretrained=False, image_size=image_size, device="cpu", layer_norm=False
    )
    network = encoder._network().module
    torch.manual_seed(0)
    with torch.no_grad():  # layer scales of 1e-5 would make all layers alike
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))

    outputs = hooked(encoder, images)
    n_prefix = n_class_tokens + n_registers
    average = {
        "NLC": lambda x: x[:, n_prefix:].mean(1),
        "NHWC": lambda x: x.mean((1, 2)),
        "NCHW": lambda x: x.mean((2, 3)),
    }[layout]
    deviation = [(average(x**2) - average(x) ** 2).clamp(min=0).sqrt() for x in outputs]
    pooled = {
        "avg": [average(x).numpy() for x in outputs],
        "avg+std": [torch.cat([average(x), s], dim=1).numpy() for x, s in zip(outputs, deviation)],
    }
    if n_class_tokens:
        pooled["token"] = [x[:, 0].numpy() for x in outputs]
    else:
        with pytest.raises(ValueError, match=f"'{name}' has no class token: use pool='avg'"):
            clone(encoder).set_params(pool="token").transform(images)
    pooled["auto"] = pooled["avg" if layout == "NLC" else "avg+std"]
    normalised = clone(encoder).set_params(layer_norm="auto", n_layers=1).transform(images)
    standard_deviation = normalised.std(axis=1)
    assert np.allclose(standard_deviation, 1, atol=1e-3) == (layout == "NLC")

    assert any((a.shape != b.shape) or (a != b).any() for a, b in pairwise(outputs))
    for pool, layers in pooled.items():
        for n_layers in (1, len(layers), 6):
            wide = clone(encoder).set_params(pool=pool, n_layers=n_layers)
            features = wide.fit_transform(images)
            expected = np.hstack(layers[:n_layers])
            assert wide.layer_sizes_ == [layer.shape[1] for layer in layers[:n_layers]]
            scale = np.abs(expected).max()
            assert_allclose(features / scale, expected / scale, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit"])
def test_the_order_of_channels_in_memory_changes_only_the_rounding(name, images):
    encoder = ImageEncoder(name, pretrained=False, device="cpu", layer_norm=False)
    network = encoder._network().module
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    for convolution in convolutions:
        assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    features = encoder.transform(images)
    network.to(memory_format=torch.contiguous_format)
    expected = encoder.transform(images)
    _timm._load_network.cache_clear()
    scale = np.abs(expected).max()
    assert_allclose(features / scale, expected / scale, rtol=1e-4, atol=1e-6)


def test_a_network_of_volumes_too_has_its_channels_last(images, monkeypatch):
    class Volumes(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.plane, self.volume = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv3d(1, 2, 3)

    monkeypatch.setattr(timm, "create_model", lambda *args, **options: Volumes())
    _timm._load_network.cache_clear()
    encoder = ImageEncoder("test_vit", pretrained=False, device="cpu")
    weight = encoder._network().module.plane.weight
    _timm._load_network.cache_clear()
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_class_token_that_joins_after_the_layers_is_none(images, small_networks):
    small_networks({"depth": 2, "local_up_to_layer": 1})
    encoder = ImageEncoder("convit_tiny", pretrained=False, device="cpu")
    assert encoder._network().module.cls_token is not None
    assert_array_equal(
        encoder.transform(images), clone(encoder).set_params(pool="avg+std").transform(images)
    )
    with pytest.raises(ValueError, match="'convit_tiny' has no class token"):
        encoder.set_params(pool="token").fit()


def test_automatic_pooling_is_no_space_of_its_own():
    encoder = ImageEncoder("test_vit", pretrained=False, device="cpu")
    spaces = {
        pool: clone(encoder).set_params(pool=pool).fingerprint()
        for pool in ("auto", "token", "avg", "avg+std")
    }
    assert spaces["auto"] == spaces["avg"] and len(set(spaces.values())) == 3
    convolutions = ImageEncoder("test_efficientnet", pretrained=False, device="cpu")
    spaces = [
        clone(convolutions).set_params(pool=pool).fingerprint() for pool in ("auto", "avg+std")
    ]
    assert spaces[0] == spaces[1]
    spaces = {
        layer_norm: clone(encoder).set_params(layer_norm=layer_norm).fingerprint()
        for layer_norm in ("auto", True, False)
    }
    assert spaces["auto"] == spaces[True] != spaces[False]


def test_six_layers_are_all_of_a_network_with_fewer(images):
    encoder = ImageEncoder("test_resnet", pretrained=False, device="cpu", image_size=32)
    assert len(encoder.fit().layer_sizes_) == 5
    classifier = LayUPClassifier(encoder, n_layers=5, ridge=1.0).fit(images, [0, 1])
    assert classifier.statistics_.n_features == sum(encoder.layer_sizes_)
    with pytest.raises(ValueError, match="n_layers=7, but 'test_resnet' has 5 layers"):
        encoder.set_params(n_layers=7).fit()


@pytest.mark.parametrize("name, image_size", [("test_vit", 33), ("mixer_s32_224", 64)])
def test_an_image_size_that_does_not_suit_is_one_clear_error(name, image_size):
    with pytest.raises(ValueError, match=rf"^image_size={image_size} does not suit '{name}': \w"):
        ImageEncoder(name, pretrained=False, device="cpu", image_size=image_size).fit()


@pytest.mark.parametrize("device", ["nonsense", "cuda"])
def test_a_device_that_is_not_there_is_one_clear_error(device):
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("CUDA is there")
    with pytest.raises(ValueError, match=f"^device='{device}' cannot be used here"):
        ImageEncoder("test_vit", pretrained=False, device=device).fit()


def test_a_network_whose_layers_timm_cannot_give(monkeypatch):
    network = ImageEncoder("test_vit", pretrained=False, device="cpu")._network().module
    monkeypatch.delattr(type(network), "forward_intermediates")
    with pytest.raises(ValueError, match="VisionTransformer .* give it to ModuleEncoder"):
        ImageEncoder("test_vit", pretrained=False, device="cpu").fit()


def test_positions_of_one_have_no_deviation(images):
    encoder = ImageEncoder("test_resnet", pretrained=False, device="cpu", image_size=16, n_layers=1)
    [mean, deviation] = np.hsplit(encoder.transform(images), 2)
    assert (deviation == 0).all() and np.isfinite(mean).all() and mean.any()
