import os
import signal
import time
from functools import partial

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import StandardScaler

import _helpers
from layup_sklearn import LayUPClassifier, parallel_fit

BACKENDS = ["sequential", "threading", "loky", "multiprocessing", "dask"]
rng = np.random.default_rng(0)
X = rng.standard_normal((70, 6))
y = rng.integers(0, 5, 70)
weight = rng.uniform(0.1, 2, 70)


@pytest.fixture(scope="module")
def cluster():
    from distributed import Client, LocalCluster  # not at the top, which every worker imports

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with LocalCluster(**options, dashboard_address=None) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "dask":
        request.getfixturevalue("cluster").wait_for_workers(2)
    with joblib.parallel_config(request.param, n_jobs=2):
        yield request.param


def rows_of_shard(n_shards, shard):
    return X[shard::n_shards], y[shard::n_shards], weight[shard::n_shards]


def assert_same_model(ours, reference):
    _helpers.assert_same_model(ours, reference, X)
    assert ours.n_features_in_ == reference.n_features_in_


@pytest.mark.parametrize("n_shards", [2, 3, 7])
def test_any_cut_in_any_order_on_any_backend_is_the_joint_fit(backend, n_shards):
    joint = LayUPClassifier().fit(X, y, weight)
    arrays = [rows_of_shard(n_shards, i) for i in range(n_shards)]
    functions = [partial(rows_of_shard, n_shards, i) for i in range(n_shards)]
    order = np.random.default_rng(n_shards).permutation(n_shards)
    for shards in (arrays, arrays[::-1], iter([functions[i] for i in order])):
        classifier = LayUPClassifier()
        assert parallel_fit(classifier, shards) is classifier
        assert_same_model(classifier, joint)


def dies_once(marker, parent, shard):
    """Kills the process that reads it, the first time."""
    assert os.getpid() != parent
    if not os.path.exists(marker):
        open(marker, "x").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return rows_of_shard(7, shard)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_the_death_of_a_dask_worker_changes_nothing(cluster, tmp_path):
    shards = [partial(rows_of_shard, 7, i) for i in range(7)]
    shards[3] = partial(dies_once, str(tmp_path / "died"), os.getpid(), 3)
    cluster.wait_for_workers(2)  # with one alone, joblib works in this process
    with joblib.parallel_config("dask"):
        classifier = parallel_fit(LayUPClassifier(), shards)
    assert (tmp_path / "died").exists()
    assert_same_model(classifier, LayUPClassifier().fit(X, y, weight))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_the_death_of_a_process_of_loky_changes_nothing(tmp_path):
    classifier = LayUPClassifier().fit(X, y)
    before = _helpers.state(classifier)
    shards = [
        partial(rows_of_shard, 7, 0),
        partial(dies_once, str(tmp_path / "died"), os.getpid(), 1),
    ]
    with (
        joblib.parallel_config("loky"),
        pytest.raises(RuntimeError, match="Not all shards came back"),
    ):
        parallel_fit(classifier, shards, n_jobs=2)
    assert _helpers.state(classifier) == before
    parallel_fit(classifier, shards, n_jobs=2)
    assert_allclose(
        classifier.statistics_.class_count.sum(), 70 + weight[::7].sum() + weight[1::7].sum()
    )


def test_on_top_of_what_is_known():
    parts = [rows_of_shard(3, i) for i in range(3)]
    classifier = LayUPClassifier().partial_fit(
        *parts[0][:2], classes=[9], sample_weight=parts[0][2]
    )
    parallel_fit(classifier, parts[1:])
    assert_array_equal(classifier.classes_, [0, 1, 2, 3, 4, 9])
    joint = LayUPClassifier().fit(X, y, weight)
    assert_allclose(classifier.statistics_.gram, joint.statistics_.gram)
    assert_array_equal(classifier.predict(X), joint.predict(X))


def test_single_precision_and_shards_without_weights():
    shards = [(X[:30], y[:30]), [X[30:], y[30:]]]
    single = parallel_fit(LayUPClassifier(dtype="float32"), shards)
    assert single.statistics_.gram.dtype == np.float32
    assert_allclose(
        single.statistics_.gram, LayUPClassifier().fit(X, y).statistics_.gram, atol=1e-3
    )


def test_the_choice_on_folds_stays():
    classifier = LayUPClassifier(cv=3, ridges=[0.1, 50.0]).fit(X, y)
    ridge = classifier.ridge_
    assert parallel_fit(classifier, [(X, y), (-X, y)]).ridge_ == ridge
    assert parallel_fit(LayUPClassifier(cv=3, n_layers=1), [(X, y)]).ridge_ > 0


def test_feature_names_are_kept_and_compared():
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcdef"))
    classifier = parallel_fit(LayUPClassifier(), [(frame, y), (frame, y)])
    assert_array_equal(classifier.feature_names_in_, list("abcdef"))
    with pytest.raises(ValueError, match="Shard 1 .* feature names should match"):
        parallel_fit(classifier, [(frame, y), (frame[list("fedcba")], y)])


class CountedFits(TransformerMixin, BaseEstimator):
    def fit(self, X, y):
        assert not hasattr(self, "mean_"), "fitted twice"
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return np.asarray(X) - self.mean_


def test_the_encoder_is_fitted_on_the_first_shard_and_then_frozen(backend):
    shards = [partial(rows_of_shard, 3, i) for i in range(3)]
    reference = LayUPClassifier(StandardScaler())
    for i in range(3):
        X_i, y_i, weight_i = rows_of_shard(3, i)
        reference.partial_fit(X_i, y_i, sample_weight=weight_i)
    classifier = parallel_fit(LayUPClassifier(StandardScaler()), shards)
    assert_same_model(classifier, reference)
    assert_array_equal(classifier.encoder_.mean_, reference.encoder_.mean_)
    parallel_fit(classifier, shards[:1]).partial_fit(X, y)
    assert_array_equal(classifier.encoder_.mean_, reference.encoder_.mean_)
    counted = parallel_fit(LayUPClassifier(CountedFits()), shards).encoder_
    assert_array_equal(counted.mean_, X[::3].mean(axis=0))


def test_lists_of_paths(tmp_path):
    from PIL import Image

    from layup_sklearn import ImageEncoder

    for i in range(6):
        image = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    paths = [str(tmp_path / f"{i}.png") for i in range(6)]
    encoder = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=2)
    labels = [0, 1, 0, 2, 1, 2]
    shards = [(paths[:3], labels[:3]), (paths[3:], labels[3:])]
    with joblib.parallel_config("threading"):
        classifier = parallel_fit(LayUPClassifier(encoder), shards, n_jobs=2)
    joint = LayUPClassifier(encoder).fit(paths, labels)
    assert_allclose(classifier.statistics_.gram, joint.statistics_.gram, rtol=1e-5)
    assert_array_equal(classifier.predict(paths), joint.predict(paths))
    assert classifier.encoder_.layer_sizes_ == [64, 64]


def out_of_memory():
    raise MemoryError


BAD_SHARDS = {
    "nan": (
        lambda: (X * np.nan, y),
        ValueError,
        "Shard 2 cannot be learned: Input .* contains NaN",
    ),
    "columns": (lambda: (X[:, :2], y), ValueError, "Shard 2 .* 2 features"),
    "label kind": (lambda: (X, y.astype(str)), ValueError, "Shard 2 .* of one kind"),
    "no tuple": (lambda: X, ValueError, r"Shard 2 .* a shard is \(X, y\) or"),
    "missing file": (partial(np.load, "missing.npy"), RuntimeError, "Shard 2 .*missing.npy"),
    "memory": (out_of_memory, RuntimeError, "Shard 2 cannot be learned: MemoryError"),
}


@pytest.mark.parametrize("bad", BAD_SHARDS)
def test_a_bad_shard_is_named_and_nothing_changes(bad):
    shard, kind, message = BAD_SHARDS[bad]
    good = [partial(rows_of_shard, 7, i) for i in range(7)]
    for backend in ("sequential", "loky" if bad == "memory" else "threading"):
        classifier = LayUPClassifier().fit(X, y)
        before = _helpers.state(classifier)
        fresh = LayUPClassifier(StandardScaler())
        with joblib.parallel_config(backend, n_jobs=2):
            for each in (classifier, fresh):
                with pytest.raises(kind, match=message):
                    parallel_fit(each, [*good[:2], shard, *good[3:]])
        assert _helpers.state(classifier) == before
        assert set(vars(fresh)) == set(fresh.get_params(deep=False))


@pytest.mark.filterwarnings("error")
def test_a_bad_shard_is_one_error_and_no_warning_about_the_others():
    shards = [
        partial(rows_of_shard, 7, 0),
        out_of_memory,
        *[partial(slow_shard, i) for i in (2, 3, 4)],
    ]
    for backend in ("loky", "threading"):
        with joblib.parallel_config(backend, n_jobs=2):
            with pytest.raises(RuntimeError, match="Shard 1 cannot be learned"):
                parallel_fit(LayUPClassifier(), shards)


def slow_shard(i):
    time.sleep(0.3)
    return rows_of_shard(7, i)


def test_an_interrupt_changes_nothing():
    def interrupted():
        raise KeyboardInterrupt

    classifier = LayUPClassifier(StandardScaler())
    for shards in ([interrupted], [(X, y), interrupted], (interrupted() for _ in range(2))):
        with pytest.raises(KeyboardInterrupt):
            parallel_fit(classifier, shards)
        assert not hasattr(classifier, "statistics_")


def test_what_is_no_stream_of_shards():
    with pytest.raises(ValueError, match="shards is empty"):
        parallel_fit(LayUPClassifier(), [])
    with pytest.raises(ValueError, match="Shard 0 .* a shard is"):
        parallel_fit(LayUPClassifier(), [X, y])
    with pytest.raises(TypeError, match="must be a LayUPClassifier, got StandardScaler"):
        parallel_fit(StandardScaler(), [(X, y)])
    with pytest.raises(ValueError, match="'ridge' parameter"):
        parallel_fit(LayUPClassifier(ridge="best"), [(X, y)])
