import copy

import pytest
from numpy.testing import assert_allclose

from layup_sklearn.encoders._timm import import_timm, layer_features

timm = import_timm()
import torch
from torch import nn

from layup_sklearn.encoders._adapters import (
    ADAPTERS,
    insert_adaptformer,
    insert_lora,
    insert_ssf,
    insert_vpt,
    merge,
)

NETWORKS = {
    "test_vit": 64,
    "vit_tiny_patch16_224": 32,
    "vit_small_patch14_dinov2": 28,
    "vit_small_patch14_reg4_dinov2": 28,
}
METHODS = list(ADAPTERS)


def build(name="test_vit", depth=None):
    torch.manual_seed(0)
    options = {} if depth is None else {"depth": depth}
    network = timm.create_model(name, num_classes=0, img_size=NETWORKS[name], **options).eval()
    with torch.no_grad():  # biases and layer scales far from their start
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def features(network, images):
    return layer_features(network, images, list(range(len(network.blocks), 0, -1)), "token")


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def disturb(parameters, std=0.1):
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.add_(std * torch.randn_like(parameter))


def unit_scale(network):
    return insert_ssf(network, std=0)


@pytest.mark.parametrize("insert", [insert_adaptformer, unit_scale, insert_lora])
@pytest.mark.parametrize("name, size", NETWORKS.items())
def test_nothing_changes_at_insertion(insert, name, size):
    network = build(name, depth=3)
    images = torch.randn(2, 3, size, size)
    before = features(network, images)
    parameters = insert(network)
    assert torch.equal(features(network, images), before)
    disturb(parameters)
    assert not torch.allclose(features(network, images), before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name, size", NETWORKS.items())
def test_only_the_new_parameters_learn_and_all_of_them_do(method, name, size):
    network = build(name, depth=2)
    old = dict(network.named_parameters())
    new = ADAPTERS[method](network)
    disturb(new)
    network.train()(torch.randn(2, 3, size, size)).square().sum().backward()
    assert {id(p) for p in network.parameters()} == {id(p) for p in (old | new).values()}
    assert all(p.grad is None and not p.requires_grad for p in old.values())
    assert all(p.requires_grad and p.grad.abs().sum() > 0 for p in new.values())


@pytest.mark.parametrize(
    "insert, count",
    [
        (insert_adaptformer, 1_189_632),
        (insert_ssf, 204_288),
        (lambda network: insert_ssf(network, final_norm=True), 204_288 + 2 * 768),
        (insert_vpt, 92_160),
        (lambda network: insert_lora(network, rank=4), 12 * 4 * (768 + 3 * 768)),
    ],
)
def test_number_of_parameters_in_a_base_transformer(insert, count):
    with torch.device("meta"):
        network = timm.create_model("vit_base_patch16_224", num_classes=0)
    parameters = insert(network)
    assert sum(p.numel() for p in parameters.values()) == count
    assert parameters.keys() <= dict(network.named_parameters()).keys()


@pytest.mark.parametrize("method", METHODS)
def test_names_of_the_plain_network_stay(method):
    network = build()
    plain = set(network.state_dict())
    new = set(ADAPTERS[method](network))
    assert set(merge(network).state_dict()) == (plain if method in ("ssf", "lora") else plain | new)


@pytest.mark.parametrize(
    "insert", [insert_ssf, insert_lora, lambda network: insert_ssf(network, final_norm=True)]
)
def test_merged_equals_unmerged_and_leaves_the_source(insert, images):
    source = build()
    before = copy.deepcopy(source.state_dict())
    network = copy.deepcopy(source)
    disturb(insert(network))
    unmerged = features(network, images), network(images)
    merge(network)
    assert_allclose(features(network, images), unmerged[0], rtol=1e-5, atol=1e-5)
    assert_allclose(network(images), unmerged[1].detach(), rtol=1e-5, atol=1e-5)
    assert not any(p.requires_grad for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in source.state_dict().items())


@pytest.mark.parametrize("final_norm", [False, True])
def test_ssf_scales_and_shifts_the_output_of_every_layer(final_norm, images):
    network = build("test_vit")
    reference = copy.deepcopy(network)
    disturb(insert_ssf(network, final_norm=final_norm))
    inner = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    names = [f"blocks.{i}.{name}" for i in range(len(network.blocks)) for name in inner]
    for name in ["patch_embed.proj", *names, *["norm"] * final_norm]:
        parametrizations = network.get_submodule(name).parametrizations
        scale, shift = parametrizations.bias[0].scale, parametrizations.bias[0].shift
        assert scale is parametrizations.weight[0].scale

        def scale_and_shift(module, args, output, scale=scale, shift=shift):
            if output.ndim == 4:
                scale, shift = scale[:, None, None], shift[:, None, None]
            return scale * output + shift

        reference.get_submodule(name).register_forward_hook(scale_and_shift)
    expected = features(reference, images)
    assert_allclose(features(network, images), expected, rtol=1e-4, atol=1e-4)
    assert_allclose(network(images).detach(), reference(images).detach(), rtol=1e-3, atol=1e-3)


def test_layers_without_bias_are_scaled_only(images):
    network = timm.create_model("test_vit", num_classes=0, img_size=64, qkv_bias=False).eval()
    keys = set(network.state_dict())
    insert_ssf(network)
    assert not parametrized(network.blocks[0].attn.qkv, "bias")
    assert set(merge(network).state_dict()) == keys
    assert features(network, images).isfinite().all()


def parametrized(module, name):
    return nn.utils.parametrize.is_parametrized(module, name)


def test_adaptformer_adds_to_the_mlp_what_enters_its_norm(images):
    network = build("vit_small_patch14_dinov2", depth=1)
    disturb(insert_adaptformer(network, bottleneck=5))
    block, adapter = network.blocks[0], network.blocks[0].adapter
    with torch.no_grad():
        x = torch.randn(2, 7, 384)
        x1 = x + block.ls1(block.attn(block.norm1(x)))
        hidden = (x1 @ adapter["down"].weight.T + adapter["down"].bias).clamp(min=0)
        expected = x1 + block.ls2(block.mlp(block.norm2(x1)))
        expected += 0.1 * (hidden @ adapter["up"].weight.T + adapter["up"].bias)
        assert_allclose(block(x), expected, rtol=1e-5, atol=1e-5)


def test_lora_has_its_rank(images):
    network = build()
    before = network.blocks[2].attn.qkv.weight.clone()
    disturb(insert_lora(network, rank=3))
    change = merge(network).blocks[2].attn.qkv.weight - before
    assert torch.linalg.matrix_rank(change, rtol=1e-4) == 3


def test_every_block_sees_prompts_of_its_own(images):
    network = build()
    parameters = insert_vpt(network, n_tokens=4)
    seen = []
    for block in network.blocks:
        block.attn.register_forward_pre_hook(lambda module, args: seen.append(args[0][0, -4:]))
    n_tokens = 1 + 4 * 4 + 4
    network.blocks[0].attn.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].shape[1])
    )
    features(network, images)
    assert seen.pop(1) == n_tokens
    assert len(parameters) == len(seen) == len(network.blocks)
    for block, prompts, inner in zip(network.blocks, parameters.values(), seen, strict=True):
        assert_allclose(inner, block.norm1(prompts)[0].detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("index", [0, 3, 5])
def test_prompts_of_a_block_reach_this_block_and_later_ones(index, images):
    network = build()
    parameters = list(insert_vpt(network).values())
    before = features(network, images).split(64, dim=1)[::-1]
    with torch.no_grad():
        parameters[index].add_(1)
    after = features(network, images).split(64, dim=1)[::-1]
    changed = [not torch.equal(*pair) for pair in zip(before, after, strict=True)]
    assert changed == [i >= index for i in range(6)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["test_efficientnet", "eva02_tiny_patch14_224"])
def test_other_networks_are_refused_untouched(method, name):
    network = timm.create_model(name, num_classes=0)
    with pytest.raises(ValueError, match="fits timm's VisionTransformer with plain blocks, not E"):
        ADAPTERS[method](network)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_no_second_adapter_of_another_shape():
    network = build()
    insert_vpt(network)
    with pytest.raises(ValueError, match="not VisionTransformer of PromptedBlock"):
        insert_adaptformer(network)


@pytest.mark.parametrize("method", METHODS)
def test_copies_are_independent(method, images):
    network = build()
    ADAPTERS[method](network)
    twin = copy.deepcopy(network)
    before = features(network, images)
    assert torch.equal(features(twin, images), before)
    disturb({name: p for name, p in twin.named_parameters() if p.requires_grad})
    assert not torch.allclose(features(twin, images), before)
    assert torch.equal(features(network, images), before)
