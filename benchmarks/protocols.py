"""Protocols: what befalls the tasks of a stream before they are learned.

Each is a function of the tasks, the training labels and the seed that gives tasks and labels.
"""

from functools import partial

from layup_sklearn.evaluation import (
    blurry_tasks,
    few_shot_tasks,
    long_tailed_tasks,
    noisy_labels,
    online_batches,
)


def _online(tasks, y_train, seed, batch_size):
    return online_batches(tasks, batch_size, random_state=seed), y_train


def _blurry(tasks, y_train, seed):
    return blurry_tasks(tasks, 0.3, random_state=seed), y_train


def _long_tailed(tasks, y_train, seed, ratio, ordered=False):
    tasks = long_tailed_tasks(tasks, y_train, ratio, ordered=ordered, random_state=seed)
    return tasks, y_train


def _few_shot(tasks, y_train, seed):
    return few_shot_tasks(tasks, y_train, 5, random_state=seed), y_train


def _noise(tasks, y_train, seed):
    y_train = y_train.copy()
    for train, _ in tasks:  # a label is confused with those that are there
        y_train[train] = noisy_labels(y_train[train], 0.2, random_state=seed)
    return tasks, y_train


PROTOCOLS = {
    "online1": partial(_online, batch_size=1),
    "online10": partial(_online, batch_size=10),
    "blurry": _blurry,
    "longtail20": partial(_long_tailed, ratio=20),
    "longtail100": partial(_long_tailed, ratio=100),
    "ordered20": partial(_long_tailed, ratio=20, ordered=True),
    "fewshot5": _few_shot,
    "noise20": _noise,
}
