"""What users do wrong, and what they are told: at once, in one sentence of ours.

python -m pytest tests/test_errors.py -s -k table
"""

import io
import re
from collections import deque
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from _helpers import make_samples, state
from layup_sklearn import (
    AdaptedImageEncoder,
    ClassStatistics,
    FeatureCache,
    ImageEncoder,
    Layers,
    LayUPClassifier,
    ModuleEncoder,
    TextEncoder,
    evaluation,
    parallel_fit,
)
from layup_sklearn.datasets import as_X_y, partial_fit_batches

torch = pytest.importorskip("torch")

X, y = make_samples(24, 5)
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
LABELS = np.array(["cat", "dog"] * 2)
TINY = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=2, device="cpu")
MODULE = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())


def fitted():
    return LayUPClassifier(ridge=1.0).fit(X, y)


def of_images():
    return LayUPClassifier(clone(TINY), ridge=1.0).fit(PIXELS, LABELS)


def numbers(picture):
    return np.moveaxis(np.asarray(picture.resize((8, 8)), np.float32), -1, 0)


def closed():
    picture = Image.fromarray(PIXELS[0])
    picture.close()
    return picture


def with_nan():
    return np.where(np.arange(5) == 3, np.nan, X)


def tasks():
    return evaluation.class_incremental_tasks(y, y, 2, random_state=0)


def adapted(**parameters):
    return AdaptedImageEncoder(TINY, epochs=1, **parameters)


# what the user does, as it is printed -> the call
ERRORS = {
    # parameters
    "ridge=-1": lambda: LayUPClassifier(ridge=-1).fit(X, y),
    "ridge='best'": lambda: LayUPClassifier(ridge="best").fit(X, y),
    "ridge=nan": lambda: LayUPClassifier(ridge=np.nan).fit(X, y),
    "ridge=0 with constant columns": lambda: LayUPClassifier(ridge=0).fit(0 * X, y),
    "ridges=[]": lambda: LayUPClassifier(ridges=[]).fit(X, y),
    "ridges=[1, -1]": lambda: LayUPClassifier(ridges=[1, -1]).fit(X, y),
    "ridges='all'": lambda: LayUPClassifier(ridges="all").fit(X, y),
    "ridges=[[1, 2]]": lambda: LayUPClassifier(ridges=[[1, 2]]).fit(X, y),
    "n_layers=0": lambda: LayUPClassifier(n_layers=0).fit(X, y),
    "n_layers=2 of ready features": lambda: LayUPClassifier(n_layers=2).fit(X, y),
    "n_layers=3 of an encoder with 2": lambda: LayUPClassifier(TINY, n_layers=3).fit(PIXELS, LABELS),
    "n_layers='auto' of ready features": lambda: LayUPClassifier(n_layers="auto").fit(X, y),
    "n_layers='auto' behind PCA": lambda: LayUPClassifier(PCA(2), n_layers="auto").fit(X, y),
    "n_layers='all'": lambda: LayUPClassifier(n_layers="all").fit(X, y),
    "n_layers=1.5": lambda: LayUPClassifier(n_layers=1.5).fit(X, y),
    "cv=1": lambda: LayUPClassifier(cv=1).fit(X, y),
    "cv=KFold, the class": lambda: LayUPClassifier(cv=KFold).fit(X, y),
    "cv, an iterator": lambda: LayUPClassifier(cv=KFold(2).split(X)).fit(X, y),
    "cv='five'": lambda: LayUPClassifier(cv="five").fit(X, y),
    "rule='lda'": lambda: LayUPClassifier(rule="lda").fit(X, y),
    "priors='equal'": lambda: LayUPClassifier(priors="equal").fit(X, y),
    "priors of one class": lambda: LayUPClassifier(priors={0: 1.0}).fit(X, y).predict(X),
    "priors of another kind": lambda: LayUPClassifier(priors={"cat": 0}).fit(X, y).predict(X),
    "priors below zero": lambda: LayUPClassifier(
        priors={0: -1, 1: 1, 2: 1, 3: 1}).fit(X, y).predict(X),
    "priors of the ridge rule": lambda: LayUPClassifier(rule="ridge", priors="uniform").fit(X, y),
    "dtype='int8'": lambda: LayUPClassifier(dtype="int8").fit(X, y),
    "an unknown parameter": lambda: LayUPClassifier().set_params(alpha=1),
    "an encoder, the class": lambda: LayUPClassifier(ImageEncoder).fit(PIXELS, LABELS),
    "an encoder, a number": lambda: LayUPClassifier(7).fit(X, y),
    "another encoder after the fit": lambda: fitted().set_params(encoder=PCA(2)).predict(X),
    "encoder__n_layers after the fit": lambda: of_images().set_params(encoder__n_layers=1).predict(PIXELS),
    # before the fit
    "predict before fit": lambda: LayUPClassifier().predict(X),
    "predict_proba before fit": lambda: LayUPClassifier().predict_proba(X),
    "merge before fit": lambda: LayUPClassifier().merge(fitted()),
    "forget before fit": lambda: LayUPClassifier().forget(X, y),
    "save before fit": lambda: LayUPClassifier().save("model"),
    "adapted encoder before fit": lambda: adapted().transform(PIXELS),
    "Layers before fit": lambda: Layers([5]).transform(X),
    # features
    "NaN in X": lambda: LayUPClassifier().fit(with_nan(), y),
    "infinity in X": lambda: LayUPClassifier().fit(np.where(X == X[3, 2], np.inf, X), y),
    "NaN in X of predict": lambda: fitted().predict(with_nan()),
    "one sample, not in a list": lambda: fitted().predict(X[0]),
    "another number of columns": lambda: fitted().predict(X[:, :4]),
    "another number of columns learned": lambda: fitted().partial_fit(X[:, :4], y),
    "no sample": lambda: fitted().predict(X[:0]),
    "no sample to learn": lambda: LayUPClassifier().fit(X[:0], y[:0]),
    "text for ready features": lambda: LayUPClassifier().fit(["a", "b"], [0, 1]),
    "images without an encoder": lambda: LayUPClassifier().fit(PIXELS, LABELS),
    "pictures without an encoder": lambda: LayUPClassifier().fit([Image.fromarray(PIXELS[0])] * 2, [0, 1]),
    "paths without an encoder": lambda: LayUPClassifier().fit([Path("a.jpg"), Path("b.jpg")], [0, 1]),
    "rows of several lengths": lambda: LayUPClassifier().fit([[1.0, 2.0], [1.0]], [0, 1]),
    "numbers too large": lambda: LayUPClassifier().fit(1e200 * X, y),
    "numbers too large for float32": lambda: LayUPClassifier(dtype="float32").fit(1e30 * X, y),
    "columns in another order": lambda: LayUPClassifier().fit(
        pd.DataFrame(X, columns=list("abcde")), y).predict(pd.DataFrame(X, columns=list("edcba"))),
    "X=None": lambda: LayUPClassifier().fit(None, y),
    "X=7": lambda: LayUPClassifier().fit(7, y),
    "complex numbers": lambda: LayUPClassifier().fit(X + 1j, y),
    # labels and weights
    "y=None": lambda: LayUPClassifier().fit(X, None),
    "fewer labels than samples": lambda: LayUPClassifier().fit(X, y[:-1]),
    "labels in two columns": lambda: LayUPClassifier().fit(X, np.c_[y, y]),
    "labels with NaN": lambda: LayUPClassifier().fit(X, np.where(y == 1, np.nan, y)),
    "labels with None": lambda: LayUPClassifier().fit(X, [None, *y[1:]]),
    "labels, a set": lambda: LayUPClassifier().fit(X, set(range(24))),
    "labels with pandas' NA": lambda: LayUPClassifier().fit(X, [pd.NA, *y[1:]]),
    "labels of two kinds": lambda: LayUPClassifier().fit(X, ["a", *y[1:]]),
    "text, then numbers": lambda: LayUPClassifier().fit(X, y.astype(str)).partial_fit(X, y),
    "numbers, then text": lambda: fitted().partial_fit(X, y.astype(str)),
    "labels that floats cannot hold": lambda: LayUPClassifier().fit(
        X, y + 2**60).partial_fit(X, y + 0.5),
    "continuous labels": lambda: LayUPClassifier().fit(X, X[:, 0]),
    "labels in lists": lambda: LayUPClassifier().fit(X, [[a] for a in range(23)] + [[1, 2]]),
    "classes, a number": lambda: LayUPClassifier().partial_fit(X, y, classes=10),
    "classes, the weights": lambda: LayUPClassifier().partial_fit(X, y, np.linspace(0.1, 1, 24)),
    "classes with NaN": lambda: LayUPClassifier().partial_fit(X, y, classes=[0.0, np.nan]),
    "classes of another kind": lambda: LayUPClassifier().partial_fit(X, y, classes=["a"]),
    "weights below zero": lambda: LayUPClassifier().fit(X, y, sample_weight=-np.ones(24)),
    "weights with NaN": lambda: LayUPClassifier().fit(X, y, sample_weight=np.full(24, np.nan)),
    "all weights zero": lambda: LayUPClassifier().fit(X, y, sample_weight=np.zeros(24)),
    "fewer weights than samples": lambda: LayUPClassifier().fit(X, y, sample_weight=np.ones(3)),
    "weights, a text": lambda: LayUPClassifier().fit(X, y, sample_weight="balanced"),
    # merge and forget
    "merge with a ridge classifier": lambda: fitted().merge(PCA()),
    "merge of other features": lambda: fitted().merge(LayUPClassifier().fit(X[:, :4], y)),
    "merge of other labels": lambda: fitted().merge(LayUPClassifier().fit(X, y.astype(str))),
    "merge of another encoder": lambda: fitted().merge(LayUPClassifier(PCA(5)).fit(X, y)),
    "forget an unknown label": lambda: fitted().forget(X[:1], [9]),
    "forget more than there was": lambda: fitted().forget(np.r_[X, X], np.r_[y, y]),
    "forget what was never there": lambda: fitted().forget(9 + X[:3], y[:3]),
    "forget everything": lambda: fitted().forget(X, y),
    "forget with NaN": lambda: fitted().forget(with_nan(), y),
    # files
    "save into a missing folder": lambda: fitted().save("/no/such/folder/model"),
    "save onto an empty name": lambda: fitted().save(""),
    "save onto a folder": lambda: fitted().save("/tmp"),
    "save into a stream": lambda: fitted().save(io.BytesIO()),
    "save with an encoder of others": lambda: LayUPClassifier(PCA(2)).fit(X, y).save("model"),
    "save with folds": lambda: LayUPClassifier(cv=KFold(2)).fit(X, y).save("model"),
    "load a missing file": lambda: LayUPClassifier.load("no_such_model"),
    "load a folder": lambda: LayUPClassifier.load("/tmp"),
    "load a stream": lambda: LayUPClassifier.load(io.BytesIO()),
    "load something else": lambda: LayUPClassifier.load(__file__),
    # images
    "a missing picture": lambda: TINY.transform(["no_such.jpg"]),
    "a text file as picture": lambda: TINY.transform([__file__]),
    "a folder as picture": lambda: TINY.transform(["/tmp"]),
    "a device as picture": lambda: TINY.transform(["/dev/zero"]),
    "a URL as picture": lambda: TINY.transform(["https://example.org/cat.jpg"]),
    "base64 as picture": lambda: TINY.transform(["data:image/png;base64,iVBOR"]),
    "bytes of no picture": lambda: TINY.transform([b"cat"]),
    "a file opened as text": lambda: TINY.transform([io.StringIO("cat")]),
    "a closed picture": lambda: TINY.transform([closed()]),
    "one picture": lambda: TINY.transform(Image.fromarray(PIXELS[0])),
    "one path": lambda: TINY.transform("cat.jpg"),
    "one array that may be several": lambda: TINY.transform(np.zeros((224, 224, 3), np.uint8)),
    "floats above 1": lambda: TINY.transform(np.full((2, 32, 32, 3), 200.0)),
    "floats below 0": lambda: TINY.transform(np.full((2, 32, 32, 3), -1.0)),
    "NaN in a picture": lambda: TINY.transform(np.full((2, 32, 32, 3), np.nan)),
    "two channels": lambda: TINY.transform(np.zeros((2, 32, 32, 2), np.uint8)),
    "numbers of 64 bits": lambda: TINY.transform(np.full((2, 32, 32, 3), 999, np.int64)),
    "complex pictures": lambda: TINY.transform(np.zeros((2, 32, 32, 3), complex)),
    "no picture": lambda: TINY.transform([]),
    "None among pictures": lambda: TINY.transform([PIXELS[0], None]),
    "a number among pictures": lambda: TINY.transform(deque([PIXELS[0], 7])),
    "an empty picture": lambda: TINY.transform([np.zeros((0, 5, 3), np.uint8)]),
    "a table of two columns": lambda: TINY.transform(pd.DataFrame({"a": ["x.jpg"], "b": ["y.jpg"]})),
    "texts for an image encoder": lambda: TINY.transform(["a text about cats"]),
    "a bad picture among good ones": lambda: of_images().partial_fit([*PIXELS, "no.jpg"], [*LABELS, "cat"]),
    # encoders
    "an unknown model": lambda: ImageEncoder("vit_base_patch17").fit(),
    "a text model for images": lambda: ImageEncoder("sentence-transformers/all-MiniLM-L6-v2").fit(),
    "more layers than there are": lambda: ImageEncoder("test_vit", pretrained=False, n_layers=99).fit(),
    "layers='first'": lambda: ImageEncoder("test_vit", layers="first").fit(),
    "pool='max'": lambda: ImageEncoder("test_vit", pool="max").fit(),
    "class tokens of a convolution": lambda: ImageEncoder("test_resnet", pretrained=False, pool="token").fit(),
    "image_size=33 of patches of 16": lambda: ImageEncoder("test_vit", pretrained=False, image_size=33).fit(),
    "image_size=0": lambda: ImageEncoder("test_vit", image_size=0).fit(),
    "batch_size=0": lambda: ImageEncoder("test_vit", batch_size=0).fit(),
    "device='gpu'": lambda: ImageEncoder("test_vit", pretrained=False, device="gpu").fit(),
    "precision='half'": lambda: ImageEncoder("test_vit", precision="half").fit(),
    "a missing checkpoint": lambda: ImageEncoder("test_vit", checkpoint_path="no.pth").fit(),
    "a checkpoint of something else": lambda: ImageEncoder("test_vit", checkpoint_path=__file__).fit(),
    "a missing folder of a text model": lambda: TextEncoder("./no_such_folder").fit(),
    "max_length=0": lambda: TextEncoder("x", max_length=0).fit(),
    "one text": lambda: TextEncoder("x").as_samples("a text"),
    "a number among texts": lambda: TextEncoder("x").as_samples(["a text", 7]),
    "a layer that is not there": lambda: ModuleEncoder(MODULE, ["9"], numbers).fit(),
    "no layer": lambda: ModuleEncoder(MODULE, [], numbers).fit(),
    "preprocess that fails": lambda: ModuleEncoder(MODULE, ["0"], lambda picture: 1 / 0).fit(),
    "preprocess, no function": lambda: ModuleEncoder(MODULE, ["0"], "resize").fit(),
    "module, a name": lambda: ModuleEncoder("resnet18", ["0"], numbers).fit(),
    "pool that keeps positions": lambda: ModuleEncoder(MODULE, ["0"], numbers, pool=lambda x: x).fit(),
    "sizes that do not add up": lambda: LayUPClassifier(Layers([2, 2])).fit(X, y),
    "sizes of nothing": lambda: LayUPClassifier(Layers([0, 5])).fit(X, y),
    "max_bytes='1GB'": lambda: FeatureCache(max_bytes="1GB"),
    "max_bytes=0": lambda: FeatureCache(max_bytes=0),
    "a cache of int8": lambda: FeatureCache(dtype="int8"),
    # classes
    "an unknown class renamed": lambda: fitted().rename_classes({9: 1}),
    "one class renamed to a string": lambda: fitted().rename_classes({0: "cat"}),
    "a class renamed to NaN": lambda: fitted().rename_classes({0: np.nan}),
    "a list of names": lambda: fitted().rename_classes(["cat", "dog"]),
    # answers
    "k=0": lambda: fitted().predict_top_k(X, k=0),
    "k=2.5": lambda: fitted().predict_top_k(X, k=2.5),
    "min_probability=90": lambda: fitted().predict_or_refuse(X, min_probability=90),
    "min_similarity=nan": lambda: fitted().predict_or_refuse(X, min_similarity=np.nan),
    # adaptation
    "adaptation without labels": lambda: adapted().fit(PIXELS),
    "adaptation to one class": lambda: adapted().fit(PIXELS, ["cat"] * 4),
    "adaptation of a convolution": lambda: AdaptedImageEncoder(
        ImageEncoder("test_resnet", pretrained=False, device="cpu")).fit(PIXELS, LABELS),
    "method='prompts'": lambda: adapted(method="prompts").fit(PIXELS, LABELS),
    "epochs=0": lambda: AdaptedImageEncoder(TINY, epochs=0).fit(PIXELS, LABELS),
    "learning_rate=0": lambda: adapted(learning_rate=0).fit(PIXELS, LABELS),
    "fewer labels than pictures": lambda: adapted().fit(PIXELS, LABELS[:3]),
    "adaptation of a name": lambda: AdaptedImageEncoder("test_vit").fit(PIXELS, LABELS),
    # shards and evaluation
    "no shard": lambda: parallel_fit(LayUPClassifier(), []),
    "a shard of four": lambda: parallel_fit(LayUPClassifier(), [(X, y, None, y)]),
    "a shard with NaN": lambda: parallel_fit(LayUPClassifier(), [(X, y), (with_nan(), y)]),
    "a shard of another width": lambda: parallel_fit(LayUPClassifier(), [(X, y), (X[:, :3], y)]),
    "shards for a forest": lambda: parallel_fit(PCA(), [(X, y)]),
    "more tasks than classes": lambda: evaluation.class_incremental_tasks(y, y, 9),
    "tasks of an unknown class": lambda: evaluation.class_incremental_tasks(y, y, 2, class_order=[0, 1, 2, 9]),
    "a domain without samples": lambda: evaluation.domain_incremental_tasks(["a"], ["a"], domains=["b"]),
    "labels of two kinds in evaluation": lambda: evaluation.class_incremental_tasks(y, y.astype(str), 2),
    "fewer labels in evaluation": lambda: evaluation.evaluate_continual(LayUPClassifier(), tasks(), X, y[:-1], X, y),
    "no tasks": lambda: evaluation.evaluate_continual(LayUPClassifier(), [], X, y, X, y),
    "tasks of samples": lambda: evaluation.evaluate_continual(LayUPClassifier(), [(X, X)], X, y, X, y),
    "tasks cut twice": lambda: evaluation.online_batches(evaluation.online_batches(tasks(), 5), 2),
    "test samples without labels": lambda: evaluation.evaluate_prequential(
        LayUPClassifier(), tasks(), X, y, X),
    "a matrix that is not square": lambda: evaluation.forgetting(np.ones((3, 2))),
    "batches of 0": lambda: partial_fit_batches(LayUPClassifier(), list(zip(X, y)), batch_size=0),
    "a table as data set": lambda: as_X_y(pd.DataFrame({"image": [1], "label": [2]})),
    "n_jobs=0": lambda: parallel_fit(LayUPClassifier(), [(X, y)], n_jobs=0),
    "a task without test samples": lambda: evaluation.evaluate_continual(
        LayUPClassifier(), [(np.arange(9), np.arange(0))], X, y, X, y),
    "sums that do not fit": lambda: ClassStatistics(np.arange(2), np.eye(3), np.ones((2, 4)), np.ones(2)),
}  # fmt: skip
KINDS = (ValueError, TypeError, OSError, RuntimeError, ImportError)


def provoked(call):
    """The error of a call."""
    with pytest.raises(KINDS) as info, np.errstate(all="ignore"):
        call()
    return info.value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", ERRORS)
def test_one_clear_sentence(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = provoked(ERRORS[what])
    message = str(error)
    assert len(message.split()) >= 4, message
    assert len(message) < 600 and message.count("\n") <= 4, message
    assert not re.search(r"<[\w.]+ object at|Traceback|setting an array", message)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")
def test_table(tmp_path, monkeypatch):
    """Prints all of them."""
    monkeypatch.chdir(tmp_path)
    assert len(ERRORS) >= 120
    for what, call in ERRORS.items():
        error = provoked(call)
        print(f"{what:36} {type(error).__name__}: {error}")


@pytest.mark.parametrize(
    "method, arguments",
    [
        ("partial_fit", (with_nan(), y)),
        ("partial_fit", (X[:, :4], y)),
        ("partial_fit", (X, y.astype(str))),
        ("partial_fit", (X, y[:-1])),
        ("fit", (with_nan(), y)),
        ("fit", (X, np.c_[y, y])),
        ("forget", (9 + X[:3], y[:3])),
        ("forget", (X[:1], [9])),
        ("rename_classes", ({0: 1, 9: 1},)),
        ("rename_classes", ({0: "cat"},)),
        ("merge", (LayUPClassifier().fit(X[:, :4], y),)),
        ("predict", (X[:, :4],)),
    ],
)
def test_nothing_has_happened(method, arguments):
    classifier = fitted()
    before = state(classifier)
    provoked(lambda: getattr(classifier, method)(*arguments))
    assert state(classifier) == before


def test_an_encoder_in_a_pipeline_says_the_same():
    with pytest.raises(ValueError, match=r"^X\[1\]: is a path, but X\[0\] is an array"):
        make_pipeline(TINY, LayUPClassifier()).fit([PIXELS[0], "no_such.jpg"], [0, 1])
