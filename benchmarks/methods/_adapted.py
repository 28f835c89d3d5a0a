"""First-session adaptation: what its methods share."""

from layup_sklearn import AdaptedImageEncoder, ImageEncoder, LayUPClassifier
from layup_sklearn.encoders._network import import_timm


def is_adaptable(encoder):
    """Whether an encoder is a plain vision transformer."""
    if not isinstance(encoder, ImageEncoder):
        return False
    return isinstance(encoder._network(), import_timm().models.VisionTransformer)


def adapted(encoder, method, seed):
    """LayUP with its defaults behind a copy of an encoder that the first task adapts.

    The recipe is the paper's, but for two things: 5 epochs, not 20, where no GPU is at hand,
    and bfloat16.
    """
    import torch

    frozen = encoder.get_params(deep=False)
    for name in ("n_layers", "pool", "layer_norm", "memory", "verbose"):
        del frozen[name]
    epochs = 20 if torch.cuda.is_available() else 5
    options = {"method": method, "epochs": epochs, "random_state": seed}
    return LayUPClassifier(AdaptedImageEncoder(**{**frozen, "precision": "bfloat16"}, **options))
