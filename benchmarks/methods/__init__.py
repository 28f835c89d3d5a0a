"""Methods, one file each: FEATURES says what they see, ``make(sizes, seed)`` what learns.

``sizes`` are the widths of the layers; the first line of a module's docstring describes it.
"""

from importlib import import_module
from pathlib import Path


def names():
    """All methods."""
    return sorted(
        path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")
    )


def get(name):
    """Module of a method."""
    return import_module(f".{name}", __name__)
