"""The same sums under other labels."""

from collections.abc import Mapping

import numpy as np

from ._labels import check_labels, union_of_labels
from ._statistics import ClassStatistics
from ._symmetric import read_only


def renamed(statistics: ClassStatistics, names: Mapping) -> ClassStatistics:
    """The sums of the same samples, of which some have other labels.

    Parameters
    ----------
    statistics : ClassStatistics
    names : mapping of label -> label
        All at once, so that two classes can change places. Classes of one new label become one.

    Raises
    ------
    TypeError
        When `names` is not a mapping.
    ValueError
        For a label that is not among the classes, or new ones that labels cannot be.

    Notes
    -----
    With Z (n_classes, n_new_classes) the one-hot new labels of the old classes, Y Z are those of
    the samples, so that the class sums become Z'C and the counts Z'N; G stays.
    """
    if not isinstance(names, Mapping):
        raise TypeError(f"names must map old labels to new ones, got {type(names).__name__}.")
    old = statistics.classes.tolist()
    if unknown := [label for label in names if label not in old]:
        raise ValueError(f"Label {unknown[0]!r} is not among the classes {_few(old)}.")
    if not names:
        return statistics
    given = check_labels(list(names.values()), "names.values()")
    stays = statistics.classes[[label not in names for label in old]]
    classes = union_of_labels(stays, given)
    new = check_labels([names.get(label, label) for label in old])
    place = np.searchsorted(classes, new.astype(classes.dtype))
    class_sum = np.zeros((len(classes), statistics.n_features), statistics.class_sum.dtype)
    np.add.at(class_sum, place, statistics.class_sum)
    count = np.bincount(place, statistics.class_count, minlength=len(classes))
    return ClassStatistics(classes, statistics.gram, read_only(class_sum), count)


def _few(labels):
    """The first of them, for errors."""
    return f"{labels[:5]}" if len(labels) <= 5 else f"{labels[:5]} and {len(labels) - 5} more"
