"""Methods, one file each; the first line of a module's docstring describes it.

FEATURES says which features of a stream a method sees, ``make(sizes, seed)`` what learns from
them, ``sizes`` being the widths of the layers. A method that changes the network has
``adapt(encoder, seed)`` instead: it sees the images, and gets the encoder of the stream.
FEATURES, with what "auto" is for the stream, or the settings of the adaptation, are kept with
the results.

A method has ORDER_FREE = True where its predictions after the last task do not depend on the
order of the samples, up to rounding, nor on the seed; REQUIRES
names a package that it needs beside this one's.
"""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ._adapted import is_adaptable, settings


def names():
    """All methods."""
    return sorted(
        path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
    )


def get(name):
    """Module of a method."""
    return import_module(f".{name}", __name__)


def definition(name, stream):
    """Results of another definition are no results of this method."""
    module = get(name)
    return settings() if hasattr(module, "adapt") else stream.resolve(module.FEATURES)


def is_order_free(name):
    """Whether one order of the tasks says all about the last predictions of a method."""
    return getattr(get(name), "ORDER_FREE", False)


def state_bytes(estimator):
    """Bytes of what a method keeps between calls, as its authors would keep it.

    Without the network, what it learned in the first session apart, and without random
    matrices, which a seed makes anew. Baselines here have it as an attribute, `LayUPClassifier`
    keeps its sums, and SGDClassifier its coefficients.
    """
    if hasattr(estimator, "state_bytes"):
        return estimator.state_bytes
    if not hasattr(estimator, "statistics_"):
        return estimator.coef_.nbytes + estimator.intercept_.nbytes
    sums = estimator.statistics_
    adapted = getattr(getattr(estimator, "encoder_", None), "adapted_state_", {})
    kept = [sums.gram, sums.class_sum, sums.class_count, *adapted.values()]
    return sum(array.nbytes for array in kept)


def lacks(name, stream):
    """What a method needs to learn a stream and is not there; "" where nothing is missing."""
    module = get(name)
    package = getattr(module, "REQUIRES", None)
    if package and find_spec(package) is None:
        return f"the package {package}"
    if hasattr(module, "adapt") and not is_adaptable(stream.encoder):
        return "a plain vision transformer"
    return ""


def suits(name, stream):
    """Whether a method can learn a stream."""
    return not lacks(name, stream)
