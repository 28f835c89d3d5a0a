"""Files with changed bytes: models and pictures, each an error of ours or a right answer.

``python tests/fuzz_files.py models 20000`` loads so many changed models, ``bits 3000`` so many with one
flipped bit, ``pictures 5000`` reads so many changed pictures; tests/test_fuzz.py does a few hundred of each.
"""

import io
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from layup_sklearn import ImageEncoder, LayUPClassifier
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


def main(kind, n):
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        outcomes = globals()[kind](int(n), Path(folder))
    print(f"{kind}: {dict(outcomes)}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
