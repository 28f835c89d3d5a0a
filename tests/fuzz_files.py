"""Files with changed bytes: models, pictures and caches, each an error of ours or a right answer.

``python tests/fuzz_files.py models 20000`` loads so many changed models, ``bits 3000`` so many with one
flipped bit, ``pictures 5000`` reads so many changed pictures, ``caches 10000`` uses a folder of features
while as many mishaps befall it (with OMP_NUM_THREADS=1, for processes forked beside threads of OpenMP hang
in torch); tests/test_fuzz.py does a few hundred of each.
"""

import io
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
import tracemalloc
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from layup_sklearn import FeatureCache, ImageEncoder, LayUPClassifier, ModuleEncoder
from layup_sklearn._files import ArraysFile, write_arrays
from layup_sklearn._persistence import content_digest

ENCODER = ImageEncoder("test_vit", pretrained=False, image_size=32, n_layers=1, device="cpu")
FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "PPM")
INTERESTING = np.frombuffer(b'\x00\x01\x7f\x80\xff09"[]{}-.e,:', np.uint8)


def changed(content, rng):
    """Some bytes replaced, moved, repeated, or the end cut off."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        place, kind = rng.integers(len(content)), rng.integers(5)
        if kind < 2:
            content[place] = rng.choice(INTERESTING) if kind else rng.integers(256)
        elif kind == 2:
            content[place:] = content[place : place + rng.integers(1, len(content) + 1)]
        elif kind == 3:
            content[place:place] = content[place : place + rng.integers(1, 64)]
        else:
            del content[place : place + rng.integers(1, 64)]
        content = content or bytearray(b"\0")
    return bytes(content)


def saved_models(folder):
    """Contents of files of several kinds of models."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 6)), np.arange(40) % 4
    for i, (classifier, labels) in enumerate(
        [
            (LayUPClassifier(), y),
            (LayUPClassifier(cv=2, dtype="float32"), np.array(["a", "bb", "c", "d"])[y]),
            (LayUPClassifier(rule="ridge", ridge=1.0), y.astype(bool)),
        ]
    ):
        classifier.fit(X, labels).save(folder / f"model{i}")
        yield (folder / f"model{i}").read_bytes()


def write_changed(path, original, rng):
    """A change of one text or array, in a file whose digest is right, so that later checks are reached."""
    path.write_bytes(original)
    with open(path, "rb") as opened:
        file = ArraysFile(opened)
        metadata = dict(file.metadata)
        arrays = {name: file.read(name) for name in file.names()}
    metadata.pop("digest")
    name = rng.choice(["model", "model", "labels", "format_version", *arrays])
    if name in metadata:
        metadata[name] = changed(metadata[name].encode(), rng).decode("latin-1")
    else:
        array = arrays[name]
        content = changed(array.tobytes(), rng)[: array.nbytes].ljust(array.nbytes, b"\0")
        shape = array.shape if rng.integers(2) else array.shape[::-1]
        arrays[name] = np.frombuffer(content, array.dtype).reshape(shape)
    metadata["digest"] = content_digest(metadata, arrays.items())
    with open(path, "wb") as opened:
        write_arrays(opened, arrays, metadata)


def load(path):
    """What became of a file: refused, or a model that works."""
    size, outcome = path.stat().st_size, "a model that works"
    tracemalloc.start()
    try:
        classifier = LayUPClassifier.load(path)
    except (ValueError, OSError) as error:
        assert str(path) in str(error) or "digest" in str(error), error
        outcome = "refused"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 2**20 or peak < 64 * 2**20, f"{size} bytes took {peak} of memory"
    if outcome != "refused":
        d = classifier.statistics_.n_features
        try:
            labels = classifier.predict(np.ones((2, d)))
            assert set(labels.tolist()) <= set(classifier.classes_.tolist())
        except (ValueError, OSError):  # parameters that do not suit the sums are told when used
            outcome = "a model that says what does not suit"
    return outcome


def models(n, folder, seed=0):
    """Changed model files, half of them with a digest that is right again."""
    rng, outcomes = np.random.default_rng(seed), Counter()
    originals, path = [*saved_models(folder)], folder / "changed"
    for i in range(n):
        original = originals[i % len(originals)]
        if i % 2:
            write_changed(path, original, rng)
        else:
            path.write_bytes(changed(original, rng))
        outcomes[load(path)] += 1
    return outcomes


def bits(n, folder, seed=0):
    """One flipped bit anywhere: all refused."""
    rng, outcomes = np.random.default_rng(seed), Counter()
    originals, path = [*saved_models(folder)], folder / "flipped"
    for i in range(n):
        content = bytearray(originals[i % len(originals)])
        bit = rng.integers(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        outcomes[load(path)] += 1
    assert set(outcomes) == {"refused"}, outcomes
    return outcomes


def pictures(n, folder, seed=0):
    """Changed pictures: features, or one error that says which one."""
    rng, outcomes = np.random.default_rng(seed), Counter()
    pixels = rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    originals = []
    for name in FORMATS:
        for mode in ("RGB", "L", "P"):
            file = io.BytesIO()
            picture = Image.fromarray(pixels).convert(mode)
            (picture.convert("RGB") if (name, mode) == ("WEBP", "P") else picture).save(
                file, "PPM" if name == "PPM" else name
            ) if (name, mode) not in {("JPEG", "P"), ("PPM", "P")} else None
            if file.getvalue():
                originals.append(file.getvalue())
    for i in range(n):
        content = changed(originals[i % len(originals)], rng)
        try:
            features = ENCODER.transform([content])
            assert np.isfinite(features).all() and features.shape == (1, 64)
            outcomes["read"] += 1
        except ValueError as error:
            assert str(error).startswith("X[0]: cannot read the image"), error
            outcomes["refused"] += 1
    return outcomes


# a folder of features in use


def exact_encoder(seed):
    """Features of whole numbers: the same in any batch; and those of all PICTURES."""
    import torch

    weight = np.random.default_rng(seed).integers(-9, 9, (600, 12)).astype(np.float32)
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 600, bias=False))
    module[1].weight.data = torch.from_numpy(weight)
    encoder = ModuleEncoder(
        module, ["1"], lambda picture: np.asarray(picture.resize((2, 2)), np.float32)
    )
    return encoder, PICTURES.reshape(len(PICTURES), -1) @ weight.T


PICTURES = np.random.default_rng(0).integers(0, 256, (60, 2, 2, 3), dtype=np.uint8)


def use_cache(encoders, folder, rng):
    """Number of rows of a transform, all of them right."""
    encoder, expected = encoders[rng.integers(len(encoders))]
    rows = rng.integers(0, len(PICTURES), rng.integers(1, 25))
    features = encoder.set_params(memory=FeatureCache(folder)).transform(PICTURES[rows])
    wrong = (features != expected[rows]).any(axis=1)
    assert not wrong.any(), f"{wrong.sum()} wrong rows"
    return len(rows)


@contextmanager
def locks(working):
    """Where files cannot be locked, SQLite does without."""

    def connect(path, **options):
        return plain_connect(f"file:{path}?nolock=1", uri=True, **options)

    plain_connect = sqlite3.connect
    with mock.patch("sqlite3.connect", connect) if not working else suppress():
        yield


@contextmanager
def others(n, encoders, folder, rng, killed):
    """Beside processes that use the cache: each is killed at some moment, or all its rows are right."""
    children = [fork(encoders, folder, seed, killed) for seed in rng.integers(2**32, size=n)]
    try:
        yield
        time.sleep(rng.uniform(0, 0.01) if killed and n else 0)
    finally:
        for child in children if killed else []:
            os.kill(child, signal.SIGKILL)
        ends = {os.waitpid(child, 0)[1] for child in children}
    assert ends <= {0, signal.SIGKILL}, "another process saw what is above"


def fork(encoders, folder, seed, endless):
    if child := os.fork():
        return child
    try:
        rng = np.random.default_rng(seed)
        while use_cache(encoders, folder, rng) and (endless or rng.integers(4)):
            pass
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def damage_bytes(folder, rng):
    """Some bytes or pages of one of the files of a cache, changed in place."""
    files = sorted(folder.glob("features.sqlite*"))
    path = files[rng.integers(len(files))] if files else folder  # opening a folder is an OSError
    with suppress(OSError), open(path, "r+b") as file:
        content = np.frombuffer(file.read(), np.uint8).copy()
        if not len(content):
            return None
        if rng.random() < 0.2 or len(content) < 2 * 4096:
            return file.truncate(rng.integers(len(content)))
        for _ in range(rng.integers(1, 9)):
            page, other = 4096 * rng.integers(len(content) // 4096, size=2)
            kind, place = rng.integers(4), rng.integers(len(content))
            if kind == 0:
                content[page : page + 4096] = 0
            elif kind == 1:
                content[page : page + 4096] = content[other : other + 4096]
            elif kind == 2:  # the heads of pages say where what is
                content[page + rng.integers(200)] = rng.integers(256)
            else:
                content[place] ^= 1 << rng.integers(8)
        file.seek(0)
        file.write(content)


def damage_folder(folder, rng):
    """The folder is removed, put aside, replaced by an older one, by a file, or loses a file."""
    kind, older = rng.integers(5), folder.with_name("older")
    with suppress(OSError):
        if kind == 0:
            shutil.rmtree(folder)
        elif kind == 1:
            shutil.rmtree(older, ignore_errors=True)
            shutil.copytree(folder, older)
        elif kind == 2:
            shutil.rmtree(folder)
            shutil.copytree(older, folder)
        elif kind == 3:
            shutil.rmtree(folder)
            folder.touch()
        else:
            files = sorted(folder.iterdir())
            files[rng.integers(len(files))].unlink()


MISHAPS = {
    "killed": {"killed": True},
    "bytes": {"damage": damage_bytes},
    "folder": {"damage": damage_folder},
    "no locks": {"locks_work": False},
    "no locks, killed": {"locks_work": False, "killed": True},
    "bytes, killed": {"damage": damage_bytes, "killed": True},
    "folder, killed": {"damage": damage_folder, "killed": True},
}


def mishap(encoders, folder, rng, damage=None, killed=False, locks_work=True):
    """Rows of transforms before, during and after one mishap."""
    with locks(locks_work), others(rng.integers(3), encoders, folder, rng, killed):
        n_rows = use_cache(encoders, folder, rng)
        if damage is not None:
            damage(folder, rng)
        n_rows += use_cache(encoders, folder, rng)
    return n_rows + use_cache(encoders, folder, rng)


def caches(n, folder, seed=0):
    """Rows of transforms, all right, through a folder to which mishaps happen."""
    rng, outcomes = np.random.default_rng(seed), Counter()
    encoders = [exact_encoder(0), exact_encoder(1)]
    for i in range(n):
        name = [*MISHAPS][rng.integers(len(MISHAPS))]
        if i % 50 == 0 or not (folder / "cache").is_dir():
            shutil.rmtree(folder / "cache", ignore_errors=True)
            (folder / "cache").unlink(missing_ok=True)
        outcomes["right rows"] += mishap(encoders, folder / "cache", rng, **MISHAPS[name])
        outcomes[name] += 1
    return outcomes


def main(kind, n):
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        outcomes = globals()[kind](int(n), Path(folder))
    print(f"{kind}: {dict(outcomes)}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
