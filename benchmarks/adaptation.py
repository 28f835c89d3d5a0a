"""First-session adaptation against frozen features, on real streams.

    python -m benchmarks.adaptation [FOLDER]

Fetches what is not in FOLDER (benchmark_data) yet and writes one small JSON a
run into FOLDER/adaptation; what is there already is not run again.

Five class-incremental tasks, two class orders. The first task holds a fifth of the classes
("equal") or half of them ("half"). The network (DINOv2 ViT-S, 56 pixels, class tokens of the
last six blocks) is left as it is or adapted to the first task for five epochs; then
LayUPClassifier learns task by task. Accuracy on all classes after the last task, in %.

SSF and VPT change the network at random before they learn. The control "untrained" inserts
them with the same random numbers and learns nothing.
"""

import json
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

from layup_sklearn import AdaptedImageEncoder, ImageEncoder, LayUPClassifier

from .datasets import digits, emoji, fashion
from .networks import dinov2_small

METHODS = ["adaptformer", "ssf", "vpt", "lora"]
ORDERS = [0, 1]
EPOCHS, IMAGE_SIZE, N_TASKS = 5, 56, 5


def samples(dataset, every=1):
    """Images, classes and training mask; every so many of the training images."""
    images = [*dataset.train[every - 1 :: every], *dataset.test]
    y_train = dataset.y_train[every - 1 :: every]
    y = np.concatenate([y_train, dataset.y_test])
    return images, y, np.arange(len(y)) < len(y_train)


STREAMS = {
    "fashion": lambda root: samples(fashion.load(root, n_train=1000, n_test=1000)),
    "emoji": lambda root: samples(emoji.load(root)),
    "digits": lambda root: samples(digits.load(root), every=2),
    # the same training images, five times the test images
    "fashion_large": lambda root: samples(fashion.load(root, n_train=1000, n_test=5000)),
}
STUDIES = [
    ("fashion", "half", METHODS),
    ("emoji", "half", METHODS),
    ("fashion", "equal", METHODS),
    ("emoji", "equal", METHODS),
    ("digits", "equal", METHODS),
    ("fashion_large", "half", ["ssf", "lora"]),
    ("fashion", "untrained", ["ssf", "vpt"]),
    ("emoji", "untrained", ["ssf", "vpt"]),
    ("digits", "untrained", ["ssf", "vpt"]),
    ("fashion_large", "untrained", ["ssf"]),
]


def tasks_of(classes, split):
    """Classes of the five tasks."""
    if split == "equal":
        return np.array_split(classes, N_TASKS)
    half = len(classes) // 2
    return [classes[:half], *np.array_split(classes[half:], N_TASKS - 1)]


def make_encoder(root, method, seed):
    options = {
        "checkpoint_path": dinov2_small(root / "downloads"),
        "image_size": IMAGE_SIZE,
        "n_layers": 6,
        "pool": "token",
        "layer_norm": False,
    }
    name = "vit_small_patch14_dinov2"
    if method == "frozen":
        return ImageEncoder(name, **options)
    frozen = ImageEncoder(name, **options)
    return AdaptedImageEncoder(frozen, method=method, epochs=EPOCHS, random_state=seed)


def run(root, stream, split, seed, method):
    """Accuracies after the last task and the seconds they took."""
    images, y, train = STREAMS[stream](root)
    tasks = tasks_of(np.random.default_rng(seed).permutation(np.unique(y)), split)
    first = np.flatnonzero(train & np.isin(y, tasks[0]))

    start = time.perf_counter()
    encoder = make_encoder(root, method, seed)
    if split == "untrained" and method != "frozen":
        encoder.set_params(learning_rate=1e-12, epochs=1)
    encoder.fit([images[i] for i in first], y[first])
    adapted = time.perf_counter()
    frozen = method == "frozen"
    features = frozen_features(root, stream) if frozen else encoder.transform(images)
    done = time.perf_counter()

    result = {
        "classes of task 1": len(tasks[0]),
        "images of task 1": len(first),
        "history": getattr(encoder, "history_", []),
        "seconds of adaptation": adapted - start,
        "seconds of features": done - adapted,
    }
    width = encoder.layer_sizes_[0]
    for n_layers in (1, 6):
        columns = features[:, : width * n_layers]
        classifier = LayUPClassifier().fit(columns[train], y[train])  # as after all tasks
        right = classifier.predict(columns[~train]) == y[~train]
        in_first = np.isin(y[~train], tasks[0])
        parts = {"all": right, "first task": right[in_first], "later tasks": right[~in_first]}
        result[f"{n_layers} layers"] = {name: 100 * part.mean() for name, part in parts.items()}
        result[f"{n_layers} layers"]["right"] = "".join(map(str, right.astype(int)))
    return result


@cache
def frozen_features(root, stream):
    images = STREAMS[stream](root)[0]
    return make_encoder(root, "frozen", None).transform(images)


def gain(run, frozen):
    """Of the accuracy, with its standard error over the test images (paired)."""
    right = [np.array(list(r.get("right", "")), dtype=float) for r in (run, frozen)]
    change = f"{run['all'] - frozen['all']:+.1f}"
    if not all(map(len, right)):
        return change
    difference = right[0] - right[1]
    return f"{change} ± {100 * difference.std() / np.sqrt(len(difference)):.1f}"


def table(results, report):
    """Accuracy and gain over frozen features: one order of classes a row."""
    report(
        f"| stream, task 1 | classes, images | order | layers | frozen | {' | '.join(METHODS)} |"
    )
    report("|---" * (len(METHODS) + 5) + "|")
    gains = {}
    for stream, split, methods in STUDIES:
        for n_layers in (1, 6):
            for seed in ORDERS:
                runs = [results.get((stream, split, seed, m)) for m in ["frozen", *methods]]
                if None in runs:
                    continue
                size = f"{runs[0]['classes of task 1']}, {runs[0]['images of task 1']}"
                frozen, *runs = [run[f"{n_layers} layers"] for run in runs]
                cells = dict.fromkeys(METHODS, "")
                for method, run in zip(methods, runs):
                    cells[method] = f"{run['all']:.1f} ({gain(run, frozen)})"
                    group = gains.setdefault((split, n_layers), {m: [] for m in METHODS})
                    if stream != "fashion_large":  # it shares its training with "fashion"
                        group[method].append(run["all"] - frozen["all"])
                report(
                    f"| {stream}, {split} | {'' if split == 'untrained' else size} | {seed} | "
                    f"{n_layers} | {frozen['all']:.1f} | {' | '.join(cells.values())} |"
                )
    report("\nGain over frozen features, mean over streams and orders (worst, best):\n")
    report("| task 1 | layers | runs | " + " | ".join(METHODS) + " |")
    report("|---" * (len(METHODS) + 3) + "|")
    for (split, n_layers), group in sorted(gains.items()):
        cells = [
            f"{np.mean(g):+.1f} ({min(g):+.1f}, {max(g):+.1f})" if g else "" for g in group.values()
        ]
        n_runs = max(map(len, group.values()))
        report(f"| {split} | {n_layers} | {n_runs} | {' | '.join(cells)} |")


def load(target):
    """Results of all runs that are there."""
    results = {}
    for path in target.glob("*.json"):
        stream, split, seed, method = path.stem.split("-")
        results[stream, split, int(seed), method] = json.loads(path.read_text())
    return results


def main(root="benchmark_data"):
    root = Path(root)
    target = root / "adaptation"
    target.mkdir(parents=True, exist_ok=True)
    for stream, split, methods in STUDIES:
        for seed in ORDERS:
            for method in ["frozen", *methods]:
                path = target / f"{stream}-{split}-{seed}-{method}.json"
                if not path.exists():
                    result = run(root, stream, split, seed, method)
                    partial = path.with_suffix(".partial")
                    partial.write_text(json.dumps(result, indent=1))
                    partial.rename(path)
                    print(
                        path.stem, f"{result['6 layers']['all']:.1f}", file=sys.stderr, flush=True
                    )
    table(load(target), print)


if __name__ == "__main__":
    main(*sys.argv[1:])
