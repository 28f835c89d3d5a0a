import io
import json
import os
import pickle
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from _helpers import assert_same_sums
from _helpers import state as content
from layup_sklearn import (
    PAPER_RIDGES,
    FeatureCache,
    ImageEncoder,
    LayUPClassifier,
    encoders,
)
from layup_sklearn._files import ArraysFile, write_arrays
from layup_sklearn._persistence import content_digest

DATA = Path(__file__).parent / "data"
X = np.random.default_rng(0).standard_normal((40, 5))
y = np.arange(40) % 4
ENCODER = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=1)
LABELS = {
    "int": np.array([3, -1, 7, 2**62]),
    "small int": np.array([3, -1, 7, 8], np.int8),
    "unsigned": np.array([0, 1, 2, 2**64 - 1], np.uint64),
    "float": np.array([0.0, -2.0, 5.0, 1e300]),
    "str": np.array(["b", "", "ccé", "\ud800 snow ☃"]),
    "object": np.array(["b", "a", "a longer label", "d"], object),
    "bytes": np.array([b"b", b"a", b"\xff", b"d"]),
    "bool": np.array([True, False, True, False]),
}


def round_trip(classifier, folder):
    classifier.save(folder / "model.safetensors")
    return LayUPClassifier.load(folder / "model.safetensors")


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_labels_of_all_kinds_come_back(kind, dtype, tmp_path):
    classifier = LayUPClassifier(dtype=dtype).fit(X, LABELS[kind][y])
    again = round_trip(classifier, tmp_path)
    assert again.classes_.dtype == classifier.classes_.dtype
    assert content(again) == content(classifier)
    assert_array_equal(again.decision_function(X), classifier.decision_function(X))
    assert_array_equal(again.predict(X), classifier.predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {"ridge": 3, "n_layers": 1},
        {"cv": 3, "ridges": list(PAPER_RIDGES)},
        {"cv": 3, "ridges": np.array([1.0, 2.0])},
        {"cv": [[np.arange(20), np.arange(20, 40)]]},
    ],
    ids=str,
)
def test_parameters_and_choices_come_back(parameters, tmp_path):
    classifier = LayUPClassifier(**parameters).fit(X, y)
    again = round_trip(classifier, tmp_path)
    assert repr(again) == repr(classifier)
    assert_array_equal(again.decision_function(X), classifier.decision_function(X))
    assert_array_equal(again.ridge_scores_, classifier.ridge_scores_)


@given(d=st.integers(1, 200), n_classes=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_file_holds_the_sums_and_one_triangle(d, n_classes, seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    classifier = LayUPClassifier().fit(rng.standard_normal((9, d)), np.arange(9) % n_classes)
    path = tmp_path_factory.mktemp("model") / "model"
    classifier.save(path)
    tensors, statistics = load_file(path), classifier.statistics_
    rows, columns = np.triu_indices(d)  # the lower triangle, column by column
    assert_array_equal(tensors["gram_packed"], statistics.gram[columns, rows])
    assert_array_equal(tensors["class_sum"], statistics.class_sum)
    assert_array_equal(tensors["class_count"], statistics.class_count)
    assert sorted(tensors) == ["class_count", "class_sum", "gram_packed"]
    assert_same_sums(LayUPClassifier.load(path).statistics_, statistics, rtol=0)


def test_learning_goes_on_after_loading(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    classifier = LayUPClassifier().partial_fit(frame[:20], y[:20], classes=[0, 1, 2, 3, 9])
    again = round_trip(classifier, tmp_path)
    assert_array_equal(again.feature_names_in_, list("abcde"))
    for each in (again, classifier):
        each.partial_fit(frame[20:], y[20:]).forget(frame[:1], y[:1])
    assert content(again) == content(classifier)
    assert content(again.merge(round_trip(classifier, tmp_path))) != content(classifier)


def test_an_encoder_comes_back_with_its_fitted_arrays(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    classifier = LayUPClassifier(ENCODER, ridge=1.0).fit(images, np.arange(8) % 2)
    classifier.encoder_.adapted_state_ = {"blocks.0.scale": np.ones((2, 3), np.float32)}
    classifier.encoder_.history_ = [{"epoch": 1, "loss": np.float64(0.5)}]
    again = round_trip(classifier, tmp_path)
    assert repr(again.encoder) == repr(classifier.encoder)
    assert repr(again.encoder_) == repr(classifier.encoder_)
    assert not hasattr(again.encoder, "layer_sizes_")
    assert again.encoder_.layer_sizes_ == classifier.encoder_.layer_sizes_
    assert again.encoder_.history_ == [{"epoch": 1, "loss": 0.5}]
    [(key, array)] = again.encoder_.adapted_state_.items()
    assert key == "blocks.0.scale" and array.dtype == np.float32
    assert_array_equal(array, np.ones((2, 3)))
    assert_array_equal(again.predict(images), classifier.predict(images))
    by_name = LayUPClassifier("test_vit").set_params(encoder=ENCODER).fit(images, np.arange(8) % 2)
    assert round_trip(by_name.set_params(encoder="test_vit"), tmp_path).encoder == "test_vit"


@pytest.mark.parametrize("name", sorted(set(encoders.__all__) - {"FeatureCache", "ModuleEncoder"}))
def test_every_encoder_can_be_saved(name, tmp_path):
    again = round_trip(
        LayUPClassifier().fit(X, y).set_params(encoder=getattr(encoders, name)()), tmp_path
    )
    assert type(again.encoder).__name__ == name


def test_a_feature_cache_is_no_part_of_a_model(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    for memory in (FeatureCache(), FeatureCache(tmp_path / "cache")):
        encoder = clone(ENCODER).set_params(memory=memory)
        classifier = LayUPClassifier(encoder, ridge=1.0).fit(images, np.arange(8) % 2)
        again = round_trip(classifier, tmp_path)
        assert again.encoder_.memory is None
        assert_array_equal(again.predict(images), classifier.predict(images))


@pytest.mark.parametrize(
    "classifier, message",
    [
        (LayUPClassifier(StandardScaler()), r"parameters.encoder=StandardScaler\(\) cannot be"),
        (LayUPClassifier(FunctionTransformer(np.abs)), "parameters.encoder=FunctionTransformer"),
        (LayUPClassifier(cv=KFold(3)), "parameters.cv=KFold"),
    ],
    ids=str,
)
def test_what_cannot_be_saved_is_named_and_the_old_file_stays(classifier, message, tmp_path):
    LayUPClassifier().fit(X, y).save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    with pytest.raises(ValueError, match=message + ".*pickle"):
        classifier.fit(X, y).save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


def test_only_a_fitted_classifier_is_saved(tmp_path):
    with pytest.raises(NotFittedError):
        LayUPClassifier().save(tmp_path / "model")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("function", ["json.dumps", "os.fsync", "os.link", "os.replace"])
def test_a_failed_save_leaves_the_old_file_alone(function, error, tmp_path, monkeypatch):
    def fail(*args, **options):
        raise error("told to fail")

    LayUPClassifier().fit(X, y).save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    monkeypatch.setattr(f"layup_sklearn._files.{function}", fail)
    with pytest.raises(error, match="told to fail"):
        LayUPClassifier().fit(2 * X, y).save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


def test_places_where_nothing_can_be_written(tmp_path):
    classifier = LayUPClassifier().fit(X, y)
    with pytest.raises(FileNotFoundError, match="folder .* does not exist"):
        classifier.save(tmp_path / "no" / "model")
    with pytest.raises(OSError):
        classifier.save(tmp_path)
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_modes_and_links_are_kept(tmp_path):
    classifier = LayUPClassifier().fit(X, y)
    (tmp_path / "plain").touch()
    classifier.save(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o600)
    (tmp_path / "link").symlink_to("new")
    classifier.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_one_thread_saves_another_reads_and_a_third_learns(tmp_path):
    path, sample = tmp_path / "model", np.full((1, 3), 2.0)
    classifier = LayUPClassifier().fit(sample, [0])
    classifier.save(path)
    done = threading.Event()

    def save():
        while not done.is_set():
            classifier.save(path)

    def read():
        while not done.is_set():
            statistics = LayUPClassifier.load(path).statistics_
            assert_array_equal(statistics.gram, 4 * statistics.class_count[0])
            assert_array_equal(statistics.class_sum, 2 * statistics.class_count[0])

    with ThreadPoolExecutor() as pool:
        others = [pool.submit(save), pool.submit(read)]
        for _ in range(1000):
            classifier.partial_fit(sample, [0])
        done.set()
    for other in others:
        other.result()
    assert classifier.statistics_.class_count == 1001


KILL = """
import os, resource, signal, sys
import numpy as np
from layup_sklearn import LayUPClassifier
from layup_sklearn import _files, _persistence

folder = sys.argv[1]
path = os.path.join(folder, "model")
rng = np.random.default_rng(0)
models = [LayUPClassifier().fit(rng.standard_normal((4, 20)), [0, 1, 0, 1]) for _ in "ab"]
models[1].save(path)


def die_at_byte(number):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python would make it an error
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))


def die_at_line(number):
    left = number

    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename not in (_files.__file__, _persistence.__file__):
            return None
        left -= event == "line"
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def died(model, die, number):
    child = os.fork()
    if child == 0:
        die(number)
        model.save(path)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    array = LayUPClassifier.load(path).statistics_.gram
    assert any(np.array_equal(array, model.statistics_.gram) for model in models)
    return killed


for length in np.linspace(0, os.stat(path).st_size - 1, 50, dtype=int):
    assert died(models[0], die_at_byte, length)
    assert np.array_equal(LayUPClassifier.load(path).statistics_.gram, models[1].statistics_.gram)
left_over = len(os.listdir(folder)) - 1
lines = 0
while died(models[lines % 2], die_at_line, lines + 1):
    lines += 1
print(left_over, lines, len(os.listdir(folder)) - 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and limits of files")
def test_killed_at_any_byte_or_line_of_a_save_the_file_is_the_old_or_the_new_one(tmp_path):
    command = [sys.executable, "-c", KILL, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    cut_off_while_writing, lines, left_over = map(int, result.stdout.split())
    assert cut_off_while_writing == (0 if hasattr(os, "O_TMPFILE") else 50)
    assert lines > 20  # at each of which it was killed
    if hasattr(os, "O_TMPFILE"):
        assert left_over <= 4  # between the name and its change into the right one


# what is not a whole model of this format


@pytest.fixture
def saved(tmp_path):
    LayUPClassifier(ENCODER).set_params(encoder=None).fit(X, y).save(tmp_path / "model")
    return tmp_path / "model"


def rewrite(path, metadata=None, **tensors):
    """The same file with other tensors or metadata, and the digest that they have."""
    with safe_open(path, "np") as file:
        old = file.metadata()
    new, tensors = {**old, **(metadata or {})}, {**load_file(path), **tensors}
    del new["digest"]
    save_file(tensors, path, {**new, "digest": content_digest(new, tensors.items())})


def test_every_flipped_bit_is_refused(saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(8 * len(whole), 400, replace=False):
        flipped = bytearray(whole)
        flipped[position // 8] ^= 1 << position % 8
        saved.write_bytes(flipped)
        with np.errstate(all="ignore"), pytest.raises(ValueError, match="cannot be loaded"):
            LayUPClassifier.load(saved)


def test_labels_shorter_than_their_type_cost_no_memory(saved):
    rewrite(saved, {"labels": '{"@list": ["a", "b", "c", "d"], "dtype": "<U999999"}'})
    with pytest.raises(ValueError, match="longer than any of them"):
        LayUPClassifier.load(saved)


def test_other_weights_than_those_of_the_saved_model_are_refused(tmp_path, monkeypatch):
    timm = pytest.importorskip("timm")
    import torch

    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    monkeypatch.chdir(tmp_path)
    for name, seed in (("ours.pth", 0), ("copy.pth", 0), ("others.pth", 1)):
        torch.manual_seed(seed)
        torch.save(timm.create_model("test_vit", pretrained=False).state_dict(), name)
    encoder = ImageEncoder("test_vit", checkpoint_path="ours.pth", image_size=32, n_layers=1)
    classifier = LayUPClassifier(encoder, ridge=1.0).fit(images, np.arange(8) % 2)
    labels = classifier.predict(images)
    classifier.save("model")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # a relative path still names the file
    assert_array_equal(LayUPClassifier.load("../model").predict(images), labels)
    unused = LayUPClassifier.load("../model")
    unused.save("again")
    for path, again in (("../model", 1), ("again", 2)):
        model = LayUPClassifier.load(path)
        model.encoder_.set_params(checkpoint_path="../others.pth")
        with pytest.raises(
            ValueError, match="makes other features .* than the network that the model"
        ):
            model.predict(images)
        model.encoder_.set_params(checkpoint_path="../copy.pth")
        assert_array_equal(model.predict(images), labels)


def test_a_truncated_file_is_refused_at_every_length(saved):
    whole = saved.read_bytes()
    for length in [*range(40), *range(40, len(whole), 37), len(whole) - 1]:
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="model.*cannot be loaded: .*truncated"):
            LayUPClassifier.load(saved)


def test_bytes_behind_the_arrays_are_refused(saved):
    saved.write_bytes(saved.read_bytes() + bytes(8))
    with pytest.raises(ValueError, match="do not fill it"):
        LayUPClassifier.load(saved)


def test_an_array_under_another_type_is_refused(saved):
    whole = saved.read_bytes()
    assert whole.count(b'"F64"') > 1
    for place in range(whole.count(b'"F64"')):
        parts = whole.split(b'"F64"')
        parts[place : place + 2] = [b'"I64"'.join(parts[place : place + 2])]
        saved.write_bytes(b'"F64"'.join(parts))
        with pytest.raises(ValueError, match="it is damaged"):
            LayUPClassifier.load(saved)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=300, deadline=None)
def test_changed_bytes_are_an_error_or_a_model(seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("model") / "model"
    file = ("format_1_features", "format_1_images")[seed % 4 == 0]  # the same bytes in every run
    whole = bytearray((DATA / f"{file}.safetensors").read_bytes())
    n_features = LayUPClassifier.load(DATA / f"{file}.safetensors").statistics_.n_features
    for position in rng.integers(0, len(whole) - (seed % 2) * 200, rng.integers(1, 4)):
        whole[position] = rng.choice([rng.integers(256), ord("0"), ord("9"), ord('"'), 0, 255])
    path.write_bytes(whole)
    with np.errstate(all="ignore"):
        try:
            assert LayUPClassifier.load(path).statistics_.n_features == n_features
        except ValueError as error:
            assert "cannot be loaded" in str(error)


def test_foreign_files_are_refused(tmp_path):
    save_file({"weight": np.ones(3)}, tmp_path / "weights", {"format": "pt"})
    with pytest.raises(ValueError, match="safetensors file, but no model of layup_sklearn"):
        LayUPClassifier.load(tmp_path / "weights")
    save_file({"weight": np.ones(3)}, tmp_path / "bare")
    with pytest.raises(ValueError, match="no model of layup_sklearn"):
        LayUPClassifier.load(tmp_path / "bare")
    joblib.dump(LayUPClassifier().fit(X, y), tmp_path / "pickle")
    (tmp_path / "text").write_text("a model" * 99)
    for name in ("pickle", "text"):
        with pytest.raises(ValueError, match="no model of layup_sklearn"):
            LayUPClassifier.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        LayUPClassifier.load(tmp_path / "missing")
    with pytest.raises(OSError):
        LayUPClassifier.load(tmp_path)


def test_a_newer_format_is_refused(saved):
    rewrite(saved, {"format_version": "3", "package_version": "9.1"})
    with pytest.raises(ValueError, match=r"layup_sklearn 9.1 in format 3.*up to 2: upgrade"):
        LayUPClassifier.load(saved)


def test_numbers_of_numpy_become_plain_ones(tmp_path):
    classifier = LayUPClassifier(ridge=np.float32(3), n_layers=np.int64(1)).fit(X, y)
    assert repr(round_trip(classifier, tmp_path)) == "LayUPClassifier(n_layers=1, ridge=3.0)"


def change(parameters=None, **fitted):
    with_fitted = {"n_features_in_": 5, "encoder_": None, "choice_by_folds": None, **fitted}
    return {"model": json.dumps({"parameters": parameters or {}, "fitted": with_fitted})}


NO_LAYERS = {"@encoder": "ImageEncoder", "parameters": {}, "fitted": {"layer_sizes_": [[]]}}


@pytest.mark.parametrize(
    "metadata, tensors, message",
    [
        ({}, {"class_sum": np.zeros((3, 5))}, "not the sums of a model"),
        ({}, {"class_sum": np.zeros(20)}, "cannot be loaded"),
        ({}, {"class_sum": np.zeros((4, 5), int)}, "not the sums"),
        ({}, {"class_sum": np.full((4, 5), np.nan)}, "not the sums"),
        ({}, {"class_count": -np.ones(4)}, "not the sums"),
        ({}, {"class_count": np.zeros(4)}, "not the sums"),
        ({}, {"gram_packed": -np.ones(15)}, "its Gram matrix is none"),
        ({}, {"gram_packed": np.full(15, np.nan)}, "its Gram matrix is none"),
        ({}, {"gram_packed": np.zeros(14)}, "not the sums"),
        ({"labels": '{"@list": [0, 1, 1, 2], "dtype": "<i8"}'}, {}, "not the sums"),
        ({"labels": '{"@list": [0, 1, 2, 3], "dtype": "V8"}'}, {}, "labels of type"),
        ({"labels": "[" * 5000}, {}, "cannot be loaded"),
        ({"labels": "7"}, {}, "cannot be loaded"),
        ({"format_version": "one"}, {}, "cannot be loaded"),
        ({"model": "{}"}, {}, "'fitted' is missing"),
        ({"model": "nonsense"}, {}, "cannot be loaded"),
        (change({"ridge": "best"}), {}, "The 'ridge' parameter"),
        (change({"os": "x"}), {}, "unexpected keyword argument 'os'"),
        (change(encoder_={"@encoder": "Popen", "parameters": {}, "fitted": {}}), {}, "Popen"),
        (change(encoder_="a string"), {}, "encoder"),
        (change(choice_by_folds=3), {}, "cannot be loaded"),
        (change(choice_by_folds=[1.0, 4, [[4, 1.0, 0.5]]]), {}, "its layers are not those"),
        (change(choice_by_folds=[1.0, 5, [[4, 1.0, 0.5]]]), {}, "its layers are not those"),
        (change(encoder_=NO_LAYERS), {}, "cannot be loaded"),
    ],
    ids=str,
)
def test_what_does_not_fit_together_is_refused(saved, metadata, tensors, message):
    rewrite(saved, metadata, **tensors)
    with pytest.raises(ValueError, match=f"cannot be loaded.*{message}|{message}"):
        LayUPClassifier.load(saved)


def test_a_file_cannot_set_more_than_fitted_attributes(saved):
    fitted = {"transform": 1, "__class__": 2, "_private_": 3, "layer_sizes_": [5], "model": "x"}
    encoder = {"@encoder": "ImageEncoder", "parameters": {"n_layers": 1}, "fitted": fitted}
    rewrite(saved, change(encoder_=encoder, predict=1, __class__=2))
    classifier = LayUPClassifier.load(saved)
    assert type(classifier) is LayUPClassifier and callable(classifier.predict)
    assert vars(classifier.encoder_) == {
        **ImageEncoder(n_layers=1).get_params(),
        "layer_sizes_": [5],
    }


# files of old versions


def test_files_of_format_1_are_read():
    """Written by 0.1.0:

    X = np.array([[1.0, 0, 2], [0, 3, 0], [-1, 0, 0.5], [0, -2, 1]])
    y = ["left", "right", "up", "up"]
    LayUPClassifier(ridge=0.5, cv=2, ridges=(0.5, 2.0)).partial_fit(
        pd.DataFrame(X, columns=list("abc")), y, classes=["down"]
    ).save("tests/data/format_1_features.safetensors")
    """
    classifier = LayUPClassifier.load(DATA / "format_1_features.safetensors")
    rows = np.array([[1.0, 0, 2], [0, 3, 0], [-1, 0, 0.5], [0, -2, 1]])
    assert_array_equal(classifier.statistics_.gram, rows.T @ rows)
    assert_array_equal(classifier.classes_, ["down", "left", "right", "up"])
    assert_array_equal(classifier.statistics_.class_count, [0, 1, 1, 2])
    assert_array_equal(classifier.statistics_.class_sum[3], [-1, -2, 1.5])
    assert_array_equal(classifier.feature_names_in_, list("abc"))
    assert (classifier.ridge, classifier.cv, classifier.ridges) == (0.5, 2, [0.5, 2.0])
    reference = LayUPClassifier(ridge=0.5).fit(rows, ["left", "right", "up", "up"])
    classifier.set_params(cv=None, ridges=None)
    with pytest.warns(UserWarning, match="feature names"):
        assert_array_equal(classifier.predict(rows), reference.predict(rows))


def test_files_of_format_1_with_an_encoder_are_read():
    """Written by 0.1.0:

    encoder = ImageEncoder(
        "test_vit", pretrained=False, image_size=32, n_layers=2, layer_norm=True, device="cpu"
    )
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[1] = 255
    LayUPClassifier(encoder, dtype="float32").fit(images, [7, -3]).save(
        "tests/data/format_1_images.safetensors"
    )
    """
    classifier = LayUPClassifier.load(DATA / "format_1_images.safetensors")
    assert classifier.encoder_.get_params()["layer_norm"] is True
    assert classifier.encoder_.layer_sizes_ == [64, 64]
    assert classifier.dtype == classifier.statistics_.gram.dtype == "float32"
    assert_array_equal(classifier.classes_, [-3, 7])
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[1] = 255
    assert_array_equal(classifier.predict(images), [7, -3])


# the other ways to keep a model


def test_pickle_joblib_and_skops_keep_working(tmp_path):
    classifier = LayUPClassifier(StandardScaler()).fit(X, y)
    joblib.dump(classifier, tmp_path / "joblib")
    secure = skops.io.dumps(classifier)
    trusted = skops.io.get_untrusted_types(data=secure)
    assert all(name.startswith("layup_sklearn.") for name in trusted)
    for again in (
        pickle.loads(pickle.dumps(classifier)),
        joblib.load(tmp_path / "joblib"),
        joblib.load(tmp_path / "joblib", mmap_mode="r"),
        skops.io.loads(secure, trusted=trusted),
    ):
        assert_array_equal(again.decision_function(X), classifier.decision_function(X))
        again.partial_fit(X[:1], y[:1]).forget(X[:1], y[:1])
        assert_allclose(again.statistics_.gram, classifier.statistics_.gram)


def test_saving_ready_features_never_imports_torch(tmp_path):
    code = (
        "import sys\n"
        "from layup_sklearn import LayUPClassifier\n"
        f"path = {str(tmp_path / 'model')!r}\n"
        "LayUPClassifier().fit([[0.0, 1], [1, 0]], [0, 1]).save(path)\n"
        "LayUPClassifier.load(path).predict([[1, 1]])\n"
        "assert not {'torch', 'timm', 'PIL'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_only_regular_files_are_replaced(tmp_path):
    classifier = LayUPClassifier().fit(X, y)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match=f"{name}' is not a regular file"):
            classifier.save(tmp_path / name)
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        classifier.save(tmp_path)
    (tmp_path / "dangling").symlink_to("made")
    classifier.save(tmp_path / "dangling")
    assert sorted(os.listdir(tmp_path)) == ["dangling", "link", "made", "pipe"]


@pytest.mark.parametrize("method", [LayUPClassifier().fit(X, y).save, LayUPClassifier.load])
def test_streams_are_no_paths(method):
    with pytest.raises(TypeError, match="path must be a path, got BytesIO"):
        method(io.BytesIO())


def test_a_file_that_is_cut_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "model"
    LayUPClassifier().fit(np.eye(300), np.arange(300) % 2).save(path)
    with open(path, "rb") as opened:
        file = ArraysFile(opened)
        os.truncate(path, os.stat(path).st_size // 2)
        with pytest.raises(ValueError, match="truncated"):
            [file.read(name) for name in file.names()]


@given(
    arrays=st.dictionaries(
        st.text(max_size=5),
        st.sampled_from(["?", "u1", "i2", "<i8", ">f8", "f4", "f2"]).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0))
        ),
        max_size=4,
    ),
    metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=9), min_size=1),
)
@settings(deadline=None)
def test_any_reader_of_the_format_finds_the_same_arrays(arrays, metadata, tmp_path_factory):
    path = tmp_path_factory.mktemp("arrays") / "file"
    arrays.pop("__metadata__", None)
    with open(path, "wb") as file:
        write_arrays(file, arrays, metadata)
    with safe_open(path, "np") as theirs, open(path, "rb") as opened:
        ours = ArraysFile(opened)
        assert theirs.metadata() == ours.metadata == metadata
        assert sorted(theirs.keys()) == sorted(ours.names()) == sorted(arrays)
        for name, array in arrays.items():
            for read in (theirs.get_tensor, ours.read):
                assert read(name).dtype == array.dtype.newbyteorder("=")
                assert_array_equal(read(name), array)


def test_a_column_of_zeros_is_part_of_a_model(tmp_path):
    classifier = LayUPClassifier().fit(X * (np.arange(5) != 2), y)
    assert_array_equal(round_trip(classifier, tmp_path).coef_, classifier.coef_)
