import copy
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
import zlib
from contextlib import closing

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from layup_sklearn import FeatureCache, ImageEncoder, LayUPClassifier, ModuleEncoder
from layup_sklearn.encoders import _database, _image_encoder

TINY = ImageEncoder("test_vit", pretrained=False, image_size=32, pool="token", layer_norm=False)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (12, 40, 48, 3), dtype=np.uint8)


@pytest.fixture
def passes(monkeypatch):
    """Numbers of images in every pass of the network."""
    counts = []
    layer_features = _image_encoder.layer_features

    def counting(network, pixels, *args):
        counts.append(len(pixels))
        return layer_features(network, pixels, *args)

    monkeypatch.setattr(_image_encoder, "layer_features", counting)
    return counts


def encoder(memory, **params):
    return clone(TINY).set_params(memory=memory, **params)


def test_cached_features_are_those_of_the_network(images, tmp_path):
    for params in ({}, {"n_layers": 2}, {"pool": "avg", "layer_norm": True, "n_layers": 3}):
        expected = clone(TINY).set_params(**params).transform(images)
        for _ in "first, then from the cache":
            features = encoder(tmp_path, **params).transform(images)
            assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_an_image_goes_through_once_whatever_the_layers_and_the_form(images, tmp_path, passes):
    first = encoder(tmp_path, n_layers=1).transform(images)
    for n_layers in (6, 3, 1):
        features = encoder(tmp_path, n_layers=n_layers).transform(images[::-1])
        assert_array_equal(features[::-1, :64], first)
    encoder(tmp_path, layer_norm=True).transform(list(images))
    assert sum(passes) == 12
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for file in files:
        Image.fromarray(images[0]).save(file)
    encoder(tmp_path).transform(files)  # equal contents of three files
    assert sum(passes) == 13
    Image.fromarray(images[1]).save(files[0])
    encoder(tmp_path).transform(files)
    assert sum(passes) == 14


def test_duplicates_go_through_once(images, passes):
    features = encoder(FeatureCache(), batch_size=4).transform(images[[0, 1, 0, 2, 1, 0, 3]])
    assert sum(passes) == 4
    assert_array_equal(features[[0, 1]], features[[2, 4]])


@pytest.mark.parametrize(
    "other",
    [
        {"pool": "avg"},
        {"preprocessing": "paper"},
        {"image_size": 48},
        {"precision": "bfloat16"},
        {"model": "test_vit3", "pool": "avg"},
    ],
)
def test_another_network_is_another_entry(other, images, tmp_path, passes):
    encoder(tmp_path).transform(images)
    changed = encoder(tmp_path, **other)
    assert_array_equal(changed.transform(images), changed.set_params(memory=None).transform(images))
    assert sum(passes) == 36
    assert changed.fingerprint() != TINY.fingerprint()


def test_fingerprint_is_of_the_weights_and_not_of_their_place(tmp_path):
    import torch

    plain = clone(TINY).set_params(image_size=None)
    network = plain._network().module
    paths = [tmp_path / name for name in ("a.pth", "b.pth", "c.pth")]
    state = network.state_dict()
    torch.save(state, paths[0])
    torch.save(state, paths[1])
    state["norm.weight"] = state["norm.weight"] + 1e-3
    torch.save(state, paths[2])
    marks = [clone(plain).set_params(checkpoint_path=path).fingerprint() for path in paths]
    assert marks[0] == marks[1] == plain.fingerprint() != marks[2]
    assert clone(plain).set_params(n_layers=1).fingerprint() == marks[0]
    assert clone(plain).set_params(layer_norm=True).fingerprint() != marks[0]


@pytest.mark.parametrize("kind", ["folder", "joblib", "in memory"])
def test_grid_search_sends_every_image_through_once(kind, images, tmp_path, passes):
    memory = {
        "folder": tmp_path,
        "joblib": joblib.Memory(tmp_path, verbose=0),
        "in memory": FeatureCache(),
    }[kind]
    y = np.arange(12) % 2
    grid = {"encoder__n_layers": [1, 3, 6], "ridge": [0.1, 1.0]}
    GridSearchCV(LayUPClassifier(encoder(memory)), grid, cv=3).fit(images, y)
    pipeline = Pipeline([("encoder", encoder(memory)), ("classifier", LayUPClassifier(ridge=1.0))])
    cross_val_score(pipeline, images, y, cv=3)
    assert sum(passes) == 12


def test_a_cache_in_memory_without_place_still_merges_duplicates(images, passes):
    encoder(joblib.Memory(None)).transform(images[[0, 0, 0]])
    assert sum(passes) == 1


def test_arrays_of_the_same_bytes_and_another_shape_are_other_images(images, tmp_path):
    flat = images.reshape(12, 48, 40, 3)
    for batch in (images, flat):
        expected = clone(TINY).transform(batch)
        assert_allclose(encoder(tmp_path).transform(batch), expected, rtol=1e-4, atol=1e-5)


def test_size_and_clearing(images, tmp_path):
    for cache in (FeatureCache(tmp_path), FeatureCache()):
        assert len(cache) == 0
        empty = cache.nbytes
        encoder(cache).transform(images)
        assert len(cache) == 12
        assert cache.nbytes > empty + 12 * 6 * 64 * 4
        cache.clear()
        assert len(cache) == 0 and cache.nbytes <= empty + 4096


def test_clones_share_and_pickles_travel(images, tmp_path):
    memory = FeatureCache()
    assert clone(memory) is memory and copy.deepcopy(memory) is memory
    memory.put([b"key"], np.ones((1, 3), np.float32))
    assert len(pickle.loads(pickle.dumps(memory))) == 0
    folder = FeatureCache(tmp_path)
    folder.put([b"key"], np.ones((1, 3), np.float32))
    assert_array_equal(pickle.loads(pickle.dumps(folder)).get([b"key"], 3)[b"key"], np.ones(3))
    fitted = LayUPClassifier(encoder(memory), ridge=1.0).fit(images, np.arange(12) % 2)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict(images), fitted.predict(images))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_cache_in_memory_begins_empty_in_a_forked_process():
    cache = FeatureCache()
    cache.put([b"a"], np.ones((1, 3)))
    if (child := os.fork()) == 0:
        os._exit(len(cache))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(cache) == 1


def test_many_keys_in_one_call(tmp_path):
    keys = [str(i).encode() for i in range(1700)]
    rows = np.arange(1700.0, dtype=np.float32)[:, np.newaxis]
    cache = FeatureCache(tmp_path)
    cache.put(keys, rows)
    found = cache.get([*keys, b"unknown"], 1)
    assert len(found) == 1700
    assert all(found[key] == row for key, row in zip(keys, rows))


@pytest.mark.parametrize("entry", [b"", b"short", "text", b"\0" * 4 + b"\1" * 1536, None])
def test_a_damaged_entry_is_computed_again(entry, images, tmp_path, passes):
    expected = encoder(tmp_path).transform(images)
    with closing(sqlite3.connect(tmp_path / "features.sqlite")) as database, database:
        if entry is None:  # truncated
            database.execute("UPDATE features SET entry = substr(entry, 1, 500)")
        else:
            database.execute("UPDATE features SET entry = ?", [entry])
    assert_array_equal(encoder(tmp_path).transform(images), expected)
    assert sum(passes) == 24
    encoder(tmp_path).transform(images)
    assert sum(passes) == 24


def test_entries_of_another_width_are_not_taken():
    cache = FeatureCache()
    cache.put([b"key"], np.ones((1, 3), np.float32))
    assert cache.get([b"key"], 4) == {}


@pytest.mark.parametrize("page", range(1, 12))
def test_any_damaged_page_is_survived(page, tmp_path):
    cache = FeatureCache(tmp_path)
    keys = [str(i).encode() for i in range(30)]
    rows = np.arange(30 * 500, dtype=np.float32).reshape(30, 500)
    cache.put(keys, rows)
    content = bytearray((tmp_path / "features.sqlite").read_bytes())
    content[page * 4096 : (page + 1) * 4096] = bytes(4096)
    (tmp_path / "features.sqlite").write_bytes(content)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The feature cache")
        found = cache.get(keys, 500)
        cache.put(keys, rows)
        assert len(cache) == 30
    assert len(found) < 30
    assert all((found[key] == rows[int(key)]).all() for key in found)
    assert len(cache.get(keys, 500)) == 30


@pytest.mark.parametrize("damage", ["foreign", "truncated"])
def test_a_damaged_file_is_put_aside(damage, images, tmp_path, passes):
    file = tmp_path / "features.sqlite"
    if damage == "foreign":
        file.write_bytes(b"no database at all, " * 500)
    else:
        encoder(tmp_path).transform(images)
        file.write_bytes(file.read_bytes()[:5000])
        passes.clear()
    with pytest.warns(UserWarning, match="is damaged .* put aside as .*features.sqlite.damaged"):
        encoder(tmp_path).transform(images)
    assert (tmp_path / "features.sqlite.damaged").exists()
    encoder(tmp_path).transform(images)
    assert sum(passes) == 12


def test_a_read_only_cache_is_read(images, tmp_path, monkeypatch):
    encoder(tmp_path).transform(images[:6])

    def connect(path):
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    monkeypatch.setattr(_database, "connect", connect)
    with pytest.warns(UserWarning, match="could not be kept in .*readonly"):
        features = encoder(tmp_path).transform(images)
    assert_allclose(features, TINY.transform(images), rtol=1e-4, atol=1e-5)
    assert len(FeatureCache(tmp_path)) == 6


def test_a_folder_that_cannot_be_made_is_one_warning(images, tmp_path):
    (tmp_path / "file").write_text("")
    cache = FeatureCache(tmp_path / "file" / "cache")
    with pytest.warns(UserWarning, match="Features could not be read from .*file") as warned:
        features = encoder(cache).transform(images)
        encoder(cache).transform(images)
    assert len(warned) == 1
    assert_array_equal(features, TINY.transform(images))


def test_an_entry_under_another_key_is_not_taken(tmp_path):
    cache, rows = FeatureCache(tmp_path), np.eye(2, 5, dtype=np.float32)
    cache.put([b"a", b"b"], rows)
    with closing(sqlite3.connect(tmp_path / "features.sqlite")) as database, database:
        (first, a), (second, b) = database.execute("SELECT key, entry FROM features").fetchall()
        update = "UPDATE features SET entry = ? WHERE key = ?"
        database.executemany(update, [(b, first), (a, second)])
    assert cache.get([b"a", b"b"], 5) == {}


def test_what_is_not_finite_is_not_given_out(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.put([b"a"], np.ones((1, 3), np.float32))
    with closing(sqlite3.connect(tmp_path / "features.sqlite")) as database, database:
        [(key, _)] = database.execute("SELECT key, entry FROM features").fetchall()
        data = np.full(3, np.nan, np.float32).tobytes()
        entry = zlib.crc32(key + data).to_bytes(4, "little") + data
        database.execute("UPDATE features SET entry = ?", (entry,))
    assert cache.get([b"a"], 3) == {}


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_oldest_leave_when_there_are_too_many_bytes(in_memory, tmp_path):
    cache = FeatureCache(None if in_memory else tmp_path, max_bytes=200_000)
    for start in range(0, 400, 20):
        keys = [str(i).encode() for i in range(start, start + 20)]
        cache.put(keys, np.full((20, 500), start, np.float32))
        assert len(cache.get(keys, 500)) == 20
        assert cache.nbytes <= 200_000
    assert cache.get([b"0"], 500) == {} and 20 <= len(cache) < 100
    assert pickle.loads(pickle.dumps(cache)).max_bytes == 200_000
    with pytest.raises(ValueError, match="max_bytes must be a positive number, got 0"):
        FeatureCache(max_bytes=0)


def test_a_file_that_changes_while_it_is_read_leaves_no_entry(images, tmp_path, monkeypatch):
    path, cache = tmp_path / "a.png", FeatureCache()
    Image.fromarray(images[0]).save(path)

    def changed(network, *args):
        Image.fromarray(images[1]).save(path)
        return batches(network, *args)

    reader = encoder(cache)
    batches = reader._batches
    monkeypatch.setattr(reader, "_batches", changed)
    reader.transform([path])
    assert len(cache) == 0
    assert_array_equal(encoder(cache).transform([path]), TINY.transform(images[1:2]))


def test_half_precision_has_the_stated_error():
    rows = np.random.default_rng(0).standard_normal((5, 1000)).astype(np.float32)
    rows *= np.logspace(-7, 4, 1000, dtype=np.float32)
    keys = [str(i).encode() for i in range(5)]
    half, single = FeatureCache(dtype="float16"), FeatureCache()
    half.put(keys, rows)
    single.put(keys, rows)
    kept = np.array([half.get(keys, 1000)[key] for key in keys])
    assert_allclose(kept, rows, rtol=5e-4, atol=3e-8)
    assert_array_equal([single.get(keys, 1000)[key] for key in keys], rows)
    half.put([b"large"], np.full((1, 3), 1e5, np.float32))
    assert half.get([b"large"], 3) == {}
    with pytest.raises(ValueError, match="dtype must be"):
        FeatureCache(dtype="int8")


WRITER = """
import sys
import numpy as np
from layup_sklearn import FeatureCache
cache, first, last = FeatureCache(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for i in range(first, last, 5):
    cache.put([str(j).encode() for j in range(i, i + 5)], np.full((5, 2000), i, np.float32))
    print(i, flush=True)
"""


def write(folder, first, last):
    arguments = [sys.executable, "-c", WRITER, str(folder), str(first), str(last)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE)


def test_two_processes_fill_one_cache(tmp_path):
    writers = [write(tmp_path, 0, 300), write(tmp_path, 200, 500)]
    assert [writer.wait() for writer in writers] == [0, 0]
    for writer in writers:
        writer.stdout.close()
    found = FeatureCache(tmp_path).get([str(i).encode() for i in range(500)], 2000)
    assert sorted(int(key) for key in found) == list(range(500))
    assert all((row == 5 * (int(key) // 5)).all() for key, row in found.items())


def test_killing_a_writer_leaves_whole_entries(tmp_path):
    rng, done = np.random.default_rng(0), 0
    for _ in range(3):
        writer = write(tmp_path, done, 100_000)
        for _ in range(rng.integers(1, 20)):
            writer.stdout.readline()
        time.sleep(rng.uniform(0, 0.01))  # somewhere in a later batch
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        cache = FeatureCache(tmp_path)
        n = len(cache)
        assert n > done and n % 5 == 0  # whole batches
        found = cache.get([str(i).encode() for i in range(n)], 2000)
        assert len(found) == n
        assert all((row == 5 * (int(key) // 5)).all() for key, row in found.items())
        done = n
    cache.put([b"more"], np.zeros((1, 3), np.float32))
    assert len(cache) == done + 1


def test_networks_that_differ_in_their_heads_alone_have_other_fingerprints():
    import torch

    def module(n_heads):
        torch.manual_seed(0)
        layer = torch.nn.TransformerEncoderLayer(8, n_heads, 8, batch_first=True)
        return torch.nn.Sequential(torch.nn.Flatten(2), torch.nn.Linear(64, 8), layer).eval()

    def pixels(picture):
        return np.moveaxis(np.asarray(picture.resize((8, 8)), np.float32), -1, 0)

    one, two = (ModuleEncoder(module(n), ["2"], pixels) for n in (1, 2))
    same = ModuleEncoder(module(1), ["2"], pixels)
    assert one.fingerprint() == same.fingerprint() != two.fingerprint()
