"""First-session adaptation: what its methods share."""

from layup_sklearn import AdaptedImageEncoder, ImageEncoder, LayUPClassifier
from layup_sklearn.encoders._timm import import_timm


def settings():
    """The paper's recipe, but for bfloat16, and for the epochs where no GPU is at hand."""
    import torch

    return {"epochs": 20 if torch.cuda.is_available() else 5, "precision": "bfloat16"}


def is_adaptable(encoder):
    """Whether an encoder is a plain vision transformer."""
    if not isinstance(encoder, ImageEncoder):
        return False
    return isinstance(encoder._network().module, import_timm().models.VisionTransformer)


def adapted(encoder, method, seed):
    """LayUP with its defaults behind a copy of an encoder that the first task adapts."""
    frozen = encoder.get_params(deep=False)
    for name in ("n_layers", "pool", "layer_norm", "memory", "verbose"):
        del frozen[name]
    options = settings()
    frozen["precision"] = options.pop("precision")
    encoder = AdaptedImageEncoder(
        ImageEncoder(**frozen), method=method, random_state=seed, **options
    )
    return LayUPClassifier(encoder)
