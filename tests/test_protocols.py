"""Tasks made harder: equalities that any draw must satisfy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from layup_sklearn.evaluation import (
    blurry_tasks,
    class_incremental_tasks,
    domain_incremental_tasks,
    few_shot_tasks,
    long_tailed_tasks,
    noisy_labels,
)

Y = np.repeat(list("abcdef"), 40)
TASKS = class_incremental_tasks(Y, Y, 3, class_order=list("fedcba"))


def counts(tasks, t):
    return dict(zip(*np.unique(Y[tasks[t][0]], return_counts=True)))


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_blurry_tasks_keep_every_sample_once(share, seed):
    blurry = blurry_tasks(TASKS, share, random_state=seed)
    assert_array_equal(np.sort(np.concatenate([train for train, _ in blurry])), np.arange(len(Y)))
    for (train, test), (old, old_test) in zip(blurry, TASKS):
        assert_array_equal(train, np.unique(train))
        assert_array_equal(test, old_test)
        assert len(np.intersect1d(train, old)) == len(old) - round(share * len(old))


def test_blurry_tasks_bring_classes_back():
    last = np.concatenate([TASKS[0][0], TASKS[1][0]])
    assert len(np.intersect1d(blurry_tasks(TASKS, 0.5, random_state=0)[2][0], last))
    [(train, _)] = blurry_tasks(TASKS[:1], 0.5)  # there is nowhere to go
    assert_array_equal(train, TASKS[0][0])


@given(ratio=st.floats(1, 40), seed=st.integers(0, 99))
def test_long_tailed_sizes_fall_exponentially(ratio, seed):
    tasks = long_tailed_tasks(TASKS, Y, ratio, ordered=True, random_state=seed)
    expected = [max(round(40 * ratio ** (-k / 5)), 1) for k in range(6)]
    # Within a task classes shrink by their labels: e before f.
    assert [
        counts(tasks, t)[c] for t, pair in enumerate(["ef", "cd", "ab"]) for c in pair
    ] == expected
    shuffled = long_tailed_tasks(TASKS, Y, ratio, random_state=seed)
    assert sorted(n for t in range(3) for n in counts(shuffled, t).values()) == sorted(expected)
    for (train, test), (old, old_test) in zip(shuffled, TASKS):
        assert np.isin(train, old).all() and len(np.unique(train)) == len(train)
        assert_array_equal(test, old_test)


def test_a_long_tail_is_that_of_the_classes_in_all_domains():
    tasks = domain_incremental_tasks(np.arange(len(Y)) % 2, np.arange(len(Y)) % 2)
    tailed = long_tailed_tasks(tasks, Y, 20, random_state=0)
    assert counts(tailed, 0) == counts(tailed, 1)
    assert max(counts(tailed, 0).values()) == 20 and min(counts(tailed, 0).values()) == 1


@given(n_shots=st.integers(1, 60))
def test_few_shots_after_a_rich_first_task(n_shots):
    tasks = few_shot_tasks(TASKS, Y, n_shots, random_state=0)
    assert_array_equal(tasks[0][0], TASKS[0][0])
    assert {*counts(tasks, 1).values(), *counts(tasks, 2).values()} == {min(n_shots, 40)}


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_noise_changes_the_share_that_was_asked_for(share, seed):
    noisy = noisy_labels(Y, share, random_state=seed)
    assert (noisy != Y).sum() == round(share * len(Y))
    assert np.isin(noisy, Y).all() and noisy.dtype == Y.dtype


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: blurry_tasks(TASKS, 1.5), "share must be between 0 and 1, got 1.5"),
        (lambda: noisy_labels(Y, -0.1), "share must be between 0 and 1"),
        (lambda: noisy_labels(["a"] * 9, 0.5), "one class"),
        (lambda: long_tailed_tasks(TASKS, Y, 0.5), "ratio must be at least 1, got 0.5"),
        (lambda: few_shot_tasks(TASKS, Y, 0), "n_shots must be at least 1, got 0"),
    ],
)
def test_errors_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
