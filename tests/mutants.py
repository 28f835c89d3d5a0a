"""Faults put into the code on purpose: some test must fail for each.

``python tests/mutants.py`` tries all, ``python tests/mutants.py NAME ...`` those whose file or number is
named. Each is a line of a file, what stands there instead, and the tests that should notice.
One that no test notices survives, and the command fails; one whose line is gone is stale.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("layup_sklearn", "tests", "benchmarks", "examples", "pyproject.toml", "README.md")


class Mutant(NamedTuple):
    """One fault.

    Attributes
    ----------
    file : str
        Below layup_sklearn.
    line, fault : str
        What stands there once, and what takes its place.
    tests : str
        Test files or directories, with spaces between them.
    """

    file: str
    line: str
    fault: str
    tests: str


MUTANTS = [
    # Those that lived in the first round
    Mutant(
        "_solution.py",
        "    if settings not in solutions:\n",
        "    like = [s for s in solutions if s._replace(ridges=None) == settings._replace(ridges=None)]\n    if like:\n        return solutions[like[0]]\n    if settings not in solutions:\n",
        "tests/test_choice.py tests/test_readout.py tests/test_classifier.py",
    ),
    Mutant(
        "_measures.py",
        "float(np.mean(best - matrix[-1, :-1]))",
        "float(np.sum(best - matrix[-1, :-1]) / len(matrix))",
        "tests/test_evaluation.py",
    ),
    Mutant(
        "encoders/_images.py",
        'digest.update(f"{array.dtype.str} {array.shape}".encode())',
        "digest.update(array.dtype.str.encode())",
        "tests/encoders/test_cache.py",
    ),
    Mutant(
        "_model.py",
        "choice = choice or self.choice",
        "choice = self.choice or choice",
        "tests/test_folds.py",
    ),
    Mutant(
        "_folds.py", "_BELOW, _ABOVE = 1e8, 100", "_BELOW, _ABOVE = 1e1, 100", "tests/test_folds.py"
    ),
    Mutant(
        "_folds.py",
        "            if ridge == max(ridges):\n                raise\n            continue",
        "            break",
        "tests/test_folds.py tests/test_choice.py",
    ),
    Mutant(
        "_validation.py",
        "part[part >= 0] for part in parts",
        "part[part > 0] for part in parts",
        "tests/test_folds.py tests/test_classifier.py",
    ),
    Mutant(
        "_rows.py",
        "raise error.at(int(np.flatnonzero(self.kept)[error.position]))",
        "raise error.at(error.position)",
        "tests/encoders/test_image_encoder.py",
    ),
    Mutant(
        "encoders/_images.py",
        "if X.ndim == 3 and (X.shape[-1] in CHANNELS or X.shape[0] == 3):",
        "if X.ndim == 3 and X.shape[-1] in CHANNELS:",
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_timm.py",
        "(checkpoint_path, os.stat(checkpoint_path).st_mtime_ns)",
        "(checkpoint_path, 0)",
        "tests/encoders/test_image_encoder.py",
    ),
    # Sums
    Mutant("_sums.py", "np.sqrt(weight)", "weight", "tests/test_statistics.py"),
    Mutant(
        "_sums.py",
        "codes[chunk], sign * weight[chunk]",
        "codes[chunk], weight[chunk]",
        "tests/test_statistics.py tests/test_merge_and_forget.py",
    ),
    Mutant(
        "_model.py",
        "batches = chain([model.pending.joined(classes)], batches)",
        "pass",
        "tests/test_interleavings.py::test_any_two_calls_while_rows_wait_are_the_joint_fit",
    ),
    Mutant(
        "_model.py",
        "limit = 1e300 if",
        "limit = np.inf if",
        "tests/test_numerics.py tests/test_classifier.py tests/test_robustness.py",
    ),
    Mutant(
        "_renaming.py",
        "np.add.at(class_sum, place, statistics.class_sum)",
        "class_sum[place] = statistics.class_sum",
        "tests/test_renaming.py",
    ),
    # Labels
    Mutant(
        "_labels.py",
        "labels = [part.astype(_integers(low, high)) for part in labels]",
        "pass",
        "tests/test_classifier.py tests/test_robustness.py tests/test_interleavings.py",
    ),
    Mutant(
        "_labels.py",
        "for dtype in (np.int64, np.uint64):",
        "for dtype in (np.int64,):",
        "tests/test_classifier.py tests/test_errors.py tests/test_interleavings.py tests/test_robustness.py",
    ),
    Mutant(
        "_labels.py",
        "if any(isinstance(number, bool) for number in numbers):",
        "if False:",
        "tests/test_classifier.py tests/test_errors.py tests/test_interleavings.py tests/test_robustness.py",
    ),
    # Forgetting
    Mutant(
        "_forgetting.py", "if (count < 0).any():", "if False:", "tests/test_merge_and_forget.py"
    ),
    Mutant(
        "_forgetting.py",
        "[(count > 0) | (before.class_count == 0)]",
        "[count > 0]",
        "tests/test_merge_and_forget.py tests/test_classifier.py",
    ),
    Mutant("_forgetting.py", "+ slack * before.class_count", "", "tests/test_merge_and_forget.py"),
    Mutant("_forgetting.py", "if lost.any():", "if False:", "tests/test_merge_and_forget.py"),
    # Ridge, evidence, carried factors
    Mutant(
        "_ridge.py",
        "n_free, n_targets = max(n - 1, 1), n_classes - 1",
        "n_free, n_targets = n, n_classes",
        "tests/test_ridge.py",
    ),
    Mutant(
        "_ridge.py",
        "log_det -= sizes * np.log(self.ridge)",
        "pass",
        "tests/test_ridge.py tests/test_choice.py",
    ),
    Mutant(
        "_carried.py",
        "before.log_det + 2 * np.log",
        "before.log_det + np.log",
        "tests/test_interleavings.py tests/test_ridge.py tests/test_numerics.py tests/test_gaussian.py tests/test_classifier.py",
    ),
    Mutant(
        "_carried.py",
        "if square.diagonal().max() > _HEAVIEST_ROW or",
        "if",
        "tests/test_interleavings.py tests/test_ridge.py tests/test_numerics.py tests/test_gaussian.py tests/test_classifier.py",
    ),
    Mutant(
        "_carried.py",
        "return self.factor.inverse_trace() - float",
        "return self.factor.inverse_trace() + float",
        "tests/test_interleavings.py tests/test_ridge.py tests/test_numerics.py tests/test_gaussian.py tests/test_classifier.py",
    ),
    Mutant(
        "_choice.py",
        "for group in np.split(values, ends):",
        "for group in [values]:",
        "tests/test_choice.py tests/test_robustness.py",
    ),
    Mutant(
        "_choice.py",
        "scatter = squares - total**2 / n_samples",
        "scatter = squares",
        "tests/test_choice.py tests/test_gaussian.py",
    ),
    Mutant(
        "_solution.py",
        "if choice.n_features in columns:",
        "if True:",
        "tests/test_folds.py tests/test_choice.py",
    ),
    # The Gaussian rule and probabilities
    Mutant(
        "_gaussian.py",
        "a, v = phi * N / (phi * N + 1), 1 + phi / (phi * N + 1)",
        "a, v = phi * N / (phi * N + 1), np.ones(len(N))",
        "tests/test_gaussian.py",
    ),
    Mutant("_gaussian.py", "if len(N) <= d:", "if False:", "tests/test_gaussian.py"),
    Mutant(
        "_gaussian.py",
        "left = np.maximum(1 - self.weights, _TINY)",
        "left = np.ones(len(self.N))",
        "tests/test_gaussian.py",
    ),
    Mutant(
        "_readout.py",
        "return np.full(len(classes), -np.log(len(classes)))",
        "return np.log(class_count / class_count.sum())",
        "tests/test_gaussian.py tests/test_answers.py",
    ),
    Mutant(
        "_readout.py",
        "shares[rest] = left * class_count[rest] / class_count[rest].sum()",
        "shares[rest] = left / rest.sum()",
        "tests/test_gaussian.py tests/test_answers.py",
    ),
    Mutant(
        "_readout.py",
        "np.nextafter(probabilities[rows, best], 1)",
        "probabilities[rows, best]",
        "tests/test_readout.py",
    ),
    Mutant(
        "_temperature.py",
        "(ridge_lead / lead) ** 0.75 * (gap / variance) ** 0.25",
        "1.0 + 0 * gap",
        "tests/test_gaussian.py tests/test_readout.py",
    ),
    # What users give
    Mutant(
        "_samples.py",
        "X = X.float() if X.is_floating_point() and X.element_size() < 4 else X",
        "pass",
        "tests/test_classifier.py tests/encoders/test_images.py",
    ),
    Mutant(
        "_samples.py",
        'return column.tolist() if column.dtype.kind == "O" else None',
        "return None",
        "tests/test_classifier.py tests/encoders/test_images.py",
    ),
    Mutant(
        "_samples.py",
        'and not hasattr(X, "keys")',
        "",
        "tests/test_errors.py tests/test_datasets.py tests/encoders/test_images.py",
    ),
    Mutant(
        "_samples.py",
        'return list(X) if getattr(X, "ndim", 0) == 3 else X',
        "return X",
        "tests/encoders/test_images.py tests/encoders/test_image_encoder.py",
    ),
    Mutant(
        "_validation.py",
        "row, column = np.argwhere(~np.isfinite(values))[0]",
        "row, column = np.argwhere(~np.isfinite(values))[-1]",
        "tests/test_classifier.py",
    ),
    Mutant(
        "_validation.py",
        "cv = min(cv, counts.max())",
        "pass",
        "tests/test_folds.py tests/test_classifier.py",
    ),
    # Pictures
    Mutant(
        "encoders/_pictures.py",
        "65535 - values if white_is_zero else values",
        "values",
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_pictures.py",
        "(is_16_bit or 255 < array.max() <= 65535)",
        "True",
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_pictures.py",
        "grey[array == transparent] = 255",
        "pass",
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_pictures.py",
        '"L;2": lambda value: value * 85',
        '"L;2": lambda value: value',
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_pictures.py",
        "picture = ImageOps.exif_transpose(picture)",
        "pass",
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_pictures.py",
        "if max(picture.size) > 100 * min(picture.size):",
        "if False:",
        "tests/encoders/test_images.py tests/test_errors.py",
    ),
    Mutant(
        "encoders/_images.py",
        "Image.open(image, formats=_known_formats())",
        "Image.open(image)",
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_images.py",
        "            image.seek(place)\n",
        "",
        "tests/encoders/test_images.py",
    ),
    Mutant(
        "encoders/_images.py",
        "if not stat.S_ISREG(os.stat(path).st_mode):",
        "if False:",
        "tests/encoders/test_images.py",
    ),
    # The cache
    Mutant(
        "encoders/_cache.py",
        "zlib.crc32(key + data)",
        "zlib.crc32(data)",
        "tests/encoders/test_cache.py",
    ),
    Mutant(
        "encoders/_cache.py",
        "if row is not None and len(row) == n_features:",
        "if row is not None:",
        "tests/encoders/test_cache.py tests/encoders/test_image_encoder.py",
    ),
    Mutant(
        "encoders/_cache.py",
        "if self._process != os.getpid():",
        "if False:",
        "tests/encoders/test_cache.py tests/encoders/test_image_encoder.py",
    ),
    Mutant(
        "encoders/_cache.py",
        "ORDER BY rowid LIMIT",
        "ORDER BY rowid DESC LIMIT",
        "tests/encoders/test_cache.py",
    ),
    Mutant(
        "encoders/_base.py",
        "same = [i for i, p in enumerate(positions) if self._stamp(samples[p]) == stamps[p]]",
        "same = list(range(len(positions)))",
        "tests/encoders/test_cache.py",
    ),
    Mutant(
        "encoders/_base.py",
        "if expected is not None and (found := self.fingerprint()) != expected:",
        "if False:",
        "tests/test_persistence.py",
    ),
    Mutant(
        "encoders/_digests.py",
        'return f"{module} {held}"',
        'return f"{module}"',
        "tests/encoders/test_cache.py",
    ),
    # Files
    Mutant(
        "_persistence.py",
        'head = f"{name} {array.dtype.str} {array.shape}".encode()',
        "head = name.encode()",
        "tests/test_persistence.py tests/test_fuzz.py",
    ),
    Mutant(
        "_persistence.py",
        "squares.min() < -1e-6 * squares.max()",
        "False",
        "tests/test_persistence.py tests/test_fuzz.py",
    ),
    Mutant(
        "_persistence.py",
        "or not np.array_equal(np.unique(classes), classes)",
        "",
        "tests/test_persistence.py tests/test_fuzz.py",
    ),
    Mutant(
        "_persistence.py",
        "any(columns not in ends for _, columns in tried)",
        "False",
        "tests/test_persistence.py tests/test_fuzz.py",
    ),
    Mutant(
        "_files.py",
        "os.chmod(file.fileno() if os.chmod in os.supports_fd else temporary, mode)",
        "pass",
        "tests/test_persistence.py",
    ),
    Mutant(
        "_files.py",
        "os.path.realpath(path), _mode(path)",
        "os.fspath(path), _mode(path)",
        "tests/test_persistence.py",
    ),
    Mutant(
        "_files.py",
        "if [*starts, ends[-1]] != ends[:-1] or",
        "if",
        "tests/test_persistence.py tests/test_fuzz.py",
    ),
    Mutant(
        "_values.py",
        'if not re.fullmatch(r"[<>|=]?[biufOSU]\\d{0,6}", dtype):',
        "if False:",
        "tests/test_persistence.py tests/test_fuzz.py",
    ),
    # Protocols, parallel, passes
    Mutant(
        "_protocols.py",
        "rng.randint(1, len(classes), len(wrong))",
        "rng.randint(0, len(classes), len(wrong))",
        "tests/test_protocols.py",
    ),
    Mutant("_parallel.py", "part = part._with_encoder(encoder)", "pass", "tests/test_parallel.py"),
    Mutant("_parallel.py", "chain([first], shards)", "shards", "tests/test_parallel.py"),
    Mutant(
        "encoders/_passes.py",
        "self.warned, self.size = True, self.size // 2",
        "self.warned = True",
        "tests/encoders/test_decoding.py",
    ),
    Mutant(
        "encoders/_passes.py",
        "        if failed is not None:\n            raise failed\n",
        "",
        "tests/encoders/test_images.py tests/encoders/test_image_encoder.py tests/encoders/test_decoding.py",
    ),
    Mutant("encoders/_pooling.py", ".clamp(min=1)", "", "tests/encoders/test_text_encoder.py"),
    Mutant(
        "_rows.py",
        "            encoder.expect_fingerprint(encoder.saved_fingerprint())\n",
        "            pass\n",
        "tests/encoders/test_image_encoder.py",
    ),
    Mutant(
        "encoders/_hooks.py",
        "if not first and _keeps_shape",
        "if _keeps_shape",
        "tests/encoders/test_module_encoder.py",
    ),
    Mutant(
        "encoders/_first_task.py",
        "with training(device), random_numbers",
        "with random_numbers",
        "tests/encoders/test_adapted_encoder.py",
    ),
    Mutant(
        "_samples.py",
        'if kind == "texts" and',
        "if False and",
        "tests/encoders/test_text_encoder.py",
    ),
    Mutant(
        "encoders/_module_encoder.py",
        ", (int, float, bool, str, type(None))",
        "",
        "tests/encoders/test_module_encoder.py",
    ),
    Mutant(
        "_rows.py",
        'if getattr(X, "ndim", 0) == 3 and len(X) == n_labels:',
        "if False:",
        "tests/encoders/test_image_encoder.py",
    ),
    Mutant(
        "encoders/_memory.py",
        "        with_memory(step)\n",
        "        pass\n",
        "tests/encoders/test_image_encoder.py",
    ),
    Mutant(
        "_solution.py",
        "smallest_safe_ridge(model.squared_norm, SINGULAR[model.statistics.gram.dtype.name])",
        "smallest_safe_ridge(model.squared_norm)",
        "tests/test_ridge.py",
    ),
    Mutant(
        "_solution.py",
        "    _warn_where_rounding_hides(model)\n    # Leading",
        "    # Leading",
        "tests/test_gaussian.py",
    ),
    Mutant("_classifier.py", " if differ(before.get(k), v)}", "}", "tests/test_classifier.py"),
    Mutant(
        "_classifier.py",
        "before = {**self.get_params(), **self._changed}",
        "before = self.get_params()",
        "tests/test_classifier.py",
    ),
    Mutant("_gaussian.py", "> 1 + 1e-9:", "> np.inf:", "tests/test_gaussian.py"),
    Mutant("_tasks.py", "return np.flatnonzero(rows)", "return rows", "tests/test_evaluation.py"),
    Mutant(
        "_contributions.py",
        "@ coef[:n_means] / n_positions",
        "@ coef[:n_means]",
        "tests/test_explanation.py",
    ),
    Mutant(
        "_contributions.py",
        "for each in self.maps]) + self.spread",
        "for each in self.maps])",
        "tests/test_explanation.py",
    ),
    Mutant(
        "datasets.py",
        "labels and [labels[i] for i in dataset.indices]",
        "labels",
        "tests/test_datasets.py",
    ),
]


def killed(mutant, folder):
    """Whether a test of the copy in a folder fails with the fault in it; None where it is stale."""
    path = folder / "layup_sklearn" / mutant.file
    sound = path.read_text()
    if sound.count(mutant.line) != 1:
        return None
    path.write_text(sound.replace(mutant.line, mutant.fault))
    try:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        run = subprocess.run(
            [*command, *mutant.tests.split()],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=900,
        )
    except subprocess.TimeoutExpired:  # a fault that hangs is noticed
        return True
    finally:
        path.write_text(sound)
    if run.returncode not in (0, 1):
        raise SystemExit(f"pytest went wrong for {mutant}:\n{run.stdout[-2000:]}{run.stderr}")
    return run.returncode == 1


def main(names):
    counts = {True: 0, False: 0, None: 0}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        for number, mutant in enumerate(MUTANTS):
            if names and not {str(number), mutant.file} & set(names):
                continue
            found = killed(mutant, folder)
            counts[found] += 1
            word = {True: "killed", False: "SURVIVES", None: "STALE"}[found]
            print(f"{number:3} {word:9}{mutant.file}: {mutant.line.strip()}", flush=True)
    print(f"{counts[True]} killed, {counts[False]} survive, {counts[None]} stale")
    return counts[False] + counts[None]


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
