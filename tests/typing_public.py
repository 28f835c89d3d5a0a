"""Public names as a type checker sees them; pyright reads this file, nothing runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline

from layup_sklearn import (
    PAPER_RIDGES,
    AdaptedImageEncoder,
    ClassStatistics,
    FeatureCache,
    ImageEncoder,
    Layers,
    LayUPClassifier,
    ModuleEncoder,
    TextEncoder,
    parallel_fit,
)
from layup_sklearn.datasets import as_X_y, load_image_folder, partial_fit_batches

Labels = NDArray[Any]
Floats = NDArray[np.float64]
Features = NDArray[np.float32]
X, y = np.eye(4), ["cat", "cat", "owl", "owl"]
paths = [Path("cat.jpg"), Path("owl.jpg")]


def classifier_parameters() -> None:
    LayUPClassifier("test_vit", n_layers="auto", ridge=1.0, ridges=PAPER_RIDGES, cv=4)
    LayUPClassifier(FrozenEstimator(PCA()), ridge="auto", ridges=np.logspace(-3, 3), rule="ridge")
    LayUPClassifier(make_pipeline(PCA(), Layers([2, 2])), n_layers=1, cv=StratifiedKFold(4))
    LayUPClassifier(cv=ShuffleSplit(), priors={"cat": 0.9, "owl": 0.1}, dtype="float32")
    LayUPClassifier(cv=[(np.arange(3), np.arange(3, 4))], priors="uniform")
    LayUPClassifier(encoder=None).set_params(encoder__n_layers=3)
    LayUPClassifier(n_layers="all")  # pyright: ignore[reportArgumentType]
    LayUPClassifier(rule="rigde")  # pyright: ignore[reportArgumentType]
    LayUPClassifier(None, 3)  # pyright: ignore[reportCallIssue]
    LayUPClassifier(ridge_=1.0)  # pyright: ignore[reportCallIssue]


def classifier_verbs(classifier: LayUPClassifier) -> None:
    assert_type(classifier.fit(X, y), LayUPClassifier)
    assert_type(classifier.fit(X, y, sample_weight=[1, 1, 0, 2]), LayUPClassifier)
    assert_type(classifier.partial_fit(X, y, classes=["elk"]), LayUPClassifier)
    assert_type(classifier.partial_fit(pd.DataFrame(X), pd.Series(y)), LayUPClassifier)
    assert_type(classifier.partial_fit(torch.eye(4), torch.arange(4)), LayUPClassifier)
    assert_type(classifier.partial_fit(paths, np.array(["cat", "owl"])), LayUPClassifier)
    assert_type(classifier.merge(classifier).forget(X, y), LayUPClassifier)
    assert_type(classifier.set_params(ridge=1.0), LayUPClassifier)
    assert_type(LayUPClassifier.load(Path("model.safetensors")), LayUPClassifier)
    assert_type(classifier.save("model.safetensors"), None)
    assert_type(classifier.predict(X), Labels)
    assert_type(classifier.predict([Image.new("RGB", (8, 8))]), Labels)
    assert_type(classifier.predict_proba(X), Floats)
    assert_type(classifier.predict_log_proba(X), Floats)
    assert_type(classifier.decision_function(X), Floats)
    assert_type(classifier.score_samples(X), Floats)
    assert_type(classifier.score(X, y), float)
    LayUPClassifier().prdict(X)  # pyright: ignore[reportAttributeAccessIssue]
    classifier.predict()  # pyright: ignore[reportCallIssue]
    classifier.merge(PCA())  # pyright: ignore[reportArgumentType]
    classifier.save(3)  # pyright: ignore[reportArgumentType]


def classifier_attributes(classifier: LayUPClassifier) -> None:
    assert_type(classifier.classes_, Labels)
    assert_type(classifier.statistics_, ClassStatistics)
    assert_type(classifier.encoder_, BaseEstimator | None)
    assert_type(classifier.ridge_, float)
    assert_type(classifier.n_layers_, int)
    assert_type(classifier.coef_, Floats)
    assert_type(classifier.intercept_, Floats)
    assert_type(classifier.log_evidence_, float)
    assert_type(classifier.ridge_scores_, NDArray[np.void])
    assert_type(classifier.n_features_in_, int)
    assert_type(classifier.feature_names_in_, NDArray[np.object_])
    classifier.coef_ = X  # pyright: ignore[reportAttributeAccessIssue]
    classifier.weights_  # pyright: ignore[reportAttributeAccessIssue]


def statistics_of_classes() -> None:
    statistics = ClassStatistics.from_samples(X, y)
    assert_type(statistics, ClassStatistics)
    assert_type(ClassStatistics.zeros(["cat"], 4, np.float32), ClassStatistics)
    assert_type(statistics + statistics - statistics, ClassStatistics)
    assert_type(statistics.with_classes(np.array(["cat"])), ClassStatistics)
    assert_type(statistics.add_samples(X, y, sign=-1.0), ClassStatistics)
    assert_type(statistics.add_batches([(X, np.array(y), np.ones(4))]), ClassStatistics)
    assert_type(statistics.classes, Labels)
    assert_type(statistics.gram, NDArray[np.floating])
    assert_type(statistics.class_sum, NDArray[np.floating])
    assert_type(statistics.class_count, Floats)
    assert_type(statistics.n_features, int)
    assert_type(statistics.n_samples, float)
    assert_type(statistics.total, Floats)
    assert_type(statistics.squared_norm, Floats)
    statistics.gram = X  # pyright: ignore[reportAttributeAccessIssue]
    _ = statistics + 1  # pyright: ignore[reportOperatorIssue]


def encoders() -> None:
    images = ImageEncoder("test_vit", pool="avg", layers="spread", memory=Path("features"))
    assert_type(images.fit(), ImageEncoder)
    assert_type(images.transform(paths), Features)
    assert_type(images.transform(np.zeros((2, 8, 8))), Features)
    assert_type(images.fit_transform(paths), NDArray[Any])
    assert_type(images.transform_chunks([paths, paths]), Iterator[Features])
    assert_type(images.set_output(transform="pandas"), ImageEncoder)
    assert_type(images.set_params(n_layers=2), ImageEncoder)
    assert_type(images.fingerprint(), str)
    assert_type(images.layer_sizes_, list[int])
    assert_type(images.n_layers, int)
    ImageEncoder(pool="mean")  # pyright: ignore[reportArgumentType]
    images.tranform(paths)  # pyright: ignore[reportAttributeAccessIssue]
    images.set_output(transform="numpy")  # pyright: ignore[reportArgumentType]

    adapted = AdaptedImageEncoder(images, method="lora", random_state=0).fit(paths, ["cat", "owl"])
    assert_type(adapted, AdaptedImageEncoder)
    assert_type(adapted.transform(paths), Features)
    assert_type(adapted.adapted_state_, dict[str, Features])
    assert_type(adapted.history_, list[dict[str, float]])
    assert_type(adapted.layer_sizes_, list[int])
    AdaptedImageEncoder(TextEncoder())  # pyright: ignore[reportArgumentType]

    texts = TextEncoder(Path("model"), pool="avg+std", memory=FeatureCache(dtype="float16"))
    assert_type(texts.transform(["a text"]), Features)
    assert_type(texts.fit().transform(pd.Series(["a text"])), Features)

    module = ModuleEncoder(torch.nn.Identity(), ["0"], np.asarray, pool=lambda states: states[0])
    assert_type(module.fit().transform(paths), Features)
    ModuleEncoder(torch.nn.Identity(), ["0"])  # pyright: ignore[reportCallIssue]

    layers = Layers([2, 2]).fit(X)
    assert_type(layers, Layers)
    assert_type(layers.transform(X), NDArray[Any])
    assert_type(layers.layer_sizes_, list[int])


def cache_of_features(cache: FeatureCache) -> None:
    assert_type(cache.get([b"key"], 8), dict[bytes, Features])
    assert_type(cache.put([b"key"], np.zeros((1, 8))), None)
    assert_type(cache.clear(), None)
    assert_type(cache.nbytes, int)
    assert_type(cache.location, str | None)
    assert_type(len(cache), int)
    FeatureCache("features", 100)  # pyright: ignore[reportCallIssue]


def load_shard() -> tuple[NDArray[np.float64], list[str]]:
    return X, y


def data(classifier: LayUPClassifier) -> None:
    assert_type(parallel_fit(classifier, [(X, y), (X, y, [1, 2, 3, 4])], n_jobs=2), LayUPClassifier)
    assert_type(parallel_fit(classifier, [load_shard, load_shard]), LayUPClassifier)
    parallel_fit(SGDClassifier(), [(X, y)])  # pyright: ignore[reportArgumentType]

    pictures, labels = load_image_folder(Path("pictures"), classes=["cat"])
    assert_type(pictures, NDArray[np.object_])
    assert_type(labels, NDArray[np.str_])
    classifier.partial_fit(pictures, labels)

    samples, targets = as_X_y(list(zip(X, y)), columns=("img", "label"))
    assert_type(targets, Labels)
    classifier.partial_fit(samples, targets)
    as_X_y({"train": [1, 2]})  # pyright: ignore[reportArgumentType]

    assert_type(partial_fit_batches(classifier, [(X, y)], verbose=0), LayUPClassifier)
    assert_type(partial_fit_batches(SGDClassifier(), iter([(X, y)])), SGDClassifier)
    assert_type(PAPER_RIDGES, tuple[float, ...])
