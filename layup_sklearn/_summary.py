"""What was learned, as far as looking is free: nothing is loaded or solved."""

from types import SimpleNamespace

from sklearn.base import BaseEstimator

from ._layers import encoder_name, layer_sizes
from ._model import Model
from ._solution import Settings

_KNOWN = ("classes_", "class_count_", "n_samples_seen_", "encoder_", "n_features_in_")
_KNOWN += ("feature_names_in_",)
_SOLVED = ("coef_", "ridge_", "n_layers_", "log_evidence_")


def summary_of(model: Model, settings: Settings) -> dict:
    """Of a model, for `LayUPClassifier.summary`."""
    solution = model.memo.solutions.get(settings)
    return {
        "encoder": encoder_name(model.encoder),
        "n_samples_seen": model.n_samples,
        "class_count": dict(zip(model.statistics.classes.tolist(), model.class_count.tolist())),
        "layer_sizes": layer_sizes(model.encoder) or [model.statistics.n_features],
        "n_layers": solution and solution.n_layers,
        "ridge": solution and solution.ridge,
        "nbytes": model.nbytes,
    }


def fitted_attributes_html(classifier, settings: Settings, doc_link: str) -> str:
    """scikit-learn's table of fitted attributes, of those that cost nothing to look at."""
    solved = _SOLVED if settings in classifier._model.memo.solutions else ()
    names = [name for name in _KNOWN + solved if hasattr(classifier, name)]
    looked_at = SimpleNamespace(**{name: getattr(classifier, name) for name in names})
    return BaseEstimator._get_fitted_attr_html(looked_at, doc_link)
