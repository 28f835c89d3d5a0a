"""Methods, one file each; the first line of a module's docstring describes it.

FEATURES says which features of a stream a method sees, ``make(sizes, seed)`` what learns from
them, ``sizes`` being the widths of the layers. A method that changes the network has
``adapt(encoder, seed)`` instead: it sees the images, and gets the encoder of the stream.
FEATURES, with what "auto" is for the stream, or the settings of the adaptation, are kept with
the results.
"""

from importlib import import_module
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


def suits(name, stream):
    """Whether a method can learn a stream: only plain vision transformers are adapted."""
    return not hasattr(get(name), "adapt") or is_adaptable(stream.encoder)
