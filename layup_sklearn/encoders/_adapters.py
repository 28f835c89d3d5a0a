"""AdaptFormer, SSF, VPT-deep and LoRA: a few new parameters in a frozen vision transformer.

Every function changes a timm ``VisionTransformer`` in place, freezes all that was there and returns
the new parameters by name. Names of old ones stay; those of SSF and LoRA come back with `merge`.
"""

import math

import torch
from torch import nn
from torch.nn.functional import relu
from torch.nn.utils import parametrize

from ._timm import import_timm

_vision_transformer = import_timm().models.vision_transformer
Block, VisionTransformer = _vision_transformer.Block, _vision_transformer.VisionTransformer

ADAPTFORMER_SCALE = 0.1


def insert_adaptformer(network, bottleneck=64, dropout=0.1):
    """A small network beside the MLP of every block (AdaptFormer).

    Parameters
    ----------
    network : timm VisionTransformer
    bottleneck : int, default=64
        Width inside.
    dropout : float, default=0.1
        Of the values inside, in training.

    Returns
    -------
    parameters : dict of str -> torch.nn.Parameter

    Raises
    ------
    ValueError
        For a network that has no plain transformer blocks.

    Notes
    -----
    With z, what enters the block's second norm, the output of a block becomes ::

        z + mlp(norm(z)) + 0.1 * up(dropout(relu(down(z))))

    `up` is zero at first: the network gives what it gave before.

    References
    ----------
    .. [1] Chen et al., "AdaptFormer", NeurIPS 2022, arXiv:2205.13535.
    """
    for block in _freeze(network, "AdaptFormer").blocks:
        width, like = network.embed_dim, _like(network)
        block.adapter = nn.ModuleDict(
            {
                "down": nn.Linear(width, bottleneck, **like),
                "dropout": nn.Dropout(dropout),
                "up": nn.Linear(bottleneck, width, **like),
            }
        ).train(block.training)
        nn.init.kaiming_uniform_(block.adapter["down"].weight, a=math.sqrt(5))
        for zero in (block.adapter["down"].bias, *block.adapter["up"].parameters()):
            nn.init.zeros_(zero)
        block.__class__ = AdaptFormerBlock
    return _new_parameters(network)


class AdaptFormerBlock(Block):
    """Block with a child ``adapter``."""

    def forward(self, x):
        x = x + self.drop_path1(self.ls1(self.attn(self.norm1(x))))
        inner = self.adapter["dropout"](relu(self.adapter["down"](x)))
        beside = ADAPTFORMER_SCALE * self.adapter["up"](inner)
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x)))) + beside


def insert_ssf(network, final_norm=False, std=0.02):
    """Scale and shift of the output of every layer (SSF).

    Parameters
    ----------
    network : timm VisionTransformer
    final_norm : bool, default=False
        Also of the norm after the last block, which inner layers do not see.
    std : float, default=0.02
        Standard deviation of the scales around 1 and the shifts around 0 at first; with
        0 the network gives what it gave before.

    Returns
    -------
    parameters : dict of str -> torch.nn.Parameter

    Raises
    ------
    ValueError
        For a network that has no plain transformer blocks.

    Notes
    -----
    The layers are the patch projection and, in every block, norm1, qkv, attn.proj,
    norm2, fc1 and fc2. All are affine, so scale and shift act on their parameters::

        scale * (W x + b) + shift = (scale W) x + (scale b + shift)

    A layer without bias gets no shift.

    References
    ----------
    .. [1] Lian et al., "Scaling & Shifting Your Features", NeurIPS 2022, arXiv:2210.08823.
    """
    parts = [_freeze(network, "SSF").patch_embed, network.blocks]
    if final_norm:
        parts += [network.norm, network.fc_norm]
    layers = [layer for part in parts for layer in part.modules()]
    for layer in layers:
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        if weight is not None:
            scale = nn.Parameter(weight.new_empty(len(weight)).normal_(1, std))
            parametrize.register_parametrization(layer, "weight", _Scale(scale))
        if bias is not None:
            shift = nn.Parameter(bias.new_empty(len(bias)).normal_(0, std))
            parametrize.register_parametrization(layer, "bias", _ScaleShift(scale, shift))
    return _new_parameters(network)


class _Scale(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, weight):
        return self.scale.view(-1, *[1] * (weight.ndim - 1)) * weight


class _ScaleShift(nn.Module):
    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, bias):
        return self.scale * bias + self.shift


def insert_vpt(network, n_tokens=10):
    """Prompt tokens after the input of every block, cut off its output (VPT-deep).

    Parameters
    ----------
    network : timm VisionTransformer
    n_tokens : int, default=10
        Prompts of each block.

    Returns
    -------
    parameters : dict of str -> torch.nn.Parameter

    Raises
    ------
    ValueError
        For a network that has no plain transformer blocks.

    Notes
    -----
    They begin uniform in (-v, v), v = sqrt(6 / (3 patch_height patch_width + width)), and
    take part in the attention from the start: there is no setting that leaves the network
    as it was.

    References
    ----------
    .. [1] Jia et al., "Visual Prompt Tuning", ECCV 2022, arXiv:2203.12119.
    """
    _freeze(network, "VPT")
    limit = math.sqrt(6 / (3 * math.prod(network.patch_embed.patch_size) + network.embed_dim))
    for block in network.blocks:
        prompts = torch.empty(1, n_tokens, network.embed_dim, **_like(network))
        block.prompts = nn.Parameter(prompts.uniform_(-limit, limit))
        block.__class__ = PromptedBlock
    return _new_parameters(network)


class PromptedBlock(Block):
    """Block with a parameter ``prompts`` of shape (1, n_tokens, width)."""

    def forward(self, x):
        prompts = self.prompts.expand(len(x), -1, -1)
        return super().forward(torch.cat([x, prompts], dim=1))[:, : x.shape[1]]


def insert_lora(network, rank=8):
    """A matrix of low rank on top of every block's query, key and value weights (LoRA).

    Parameters
    ----------
    network : timm VisionTransformer
    rank : int, default=8

    Returns
    -------
    parameters : dict of str -> torch.nn.Parameter

    Raises
    ------
    ValueError
        For a network that has no plain transformer blocks.

    Notes
    -----
    W becomes W + up down, with up of shape (3 width, rank), zero at first, and down of shape
    (rank, width).

    References
    ----------
    .. [1] Hu et al., "LoRA", ICLR 2022, arXiv:2106.09685.
    """
    for block in _freeze(network, "LoRA").blocks:
        weight = block.attn.qkv.weight
        parametrize.register_parametrization(block.attn.qkv, "weight", _LowRank(weight, rank))
    return _new_parameters(network)


class _LowRank(nn.Module):
    def __init__(self, weight, rank):
        super().__init__()
        self.down = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.up = nn.Parameter(weight.new_zeros(len(weight), rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight):
        return weight + self.up @ self.down


ADAPTERS = {
    "adaptformer": insert_adaptformer,
    "ssf": insert_ssf,
    "vpt": insert_vpt,
    "lora": insert_lora,
}


def merge(network):
    """Turn scales, shifts and low-rank matrices into plain weights, in place.

    Parameters
    ----------
    network : torch.nn.Module

    Returns
    -------
    network : torch.nn.Module
        The same, with the outputs of before; after SSF or LoRA with the names of before, too.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):
                parametrize.remove_parametrizations(module, name)
    return network


def _freeze(network, method):
    blocks = getattr(network, "blocks", ())
    if not isinstance(network, VisionTransformer) or {*map(type, blocks)} != {Block}:
        kinds = " and ".join(sorted({type(block).__name__ for block in blocks}))
        raise ValueError(
            f"{method} fits timm's VisionTransformer with plain blocks, not "
            f"{type(network).__name__}{f' of {kinds}' if kinds else ''}: choose such a model, "
            "or leave the network as it is (ImageEncoder)."
        )
    return network.requires_grad_(False)


def _new_parameters(network):
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


def _like(network):
    weight = next(network.parameters())
    return {"device": weight.device, "dtype": weight.dtype}
