"""``python -m layup_sklearn``: what is installed here, and whether it works."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits

from layup_sklearn import __version__

from ._classifier import LayUPClassifier
from .encoders import ImageEncoder
from .encoders._environment import devices, weight_folders

LIBRARIES = "numpy", "scipy", "scikit-learn", "joblib", "pillow", "tqdm"
FOR_ENCODERS = "torch", "torchvision", "timm", "transformers"


def main():
    """Print versions, devices and folders, then learn a small stream.

    Returns
    -------
    exit_code : int
        0 where everything works, 1 otherwise. Without torch and timm encoders are left out.
    """
    print(f"layup_sklearn {__version__}, {Path(__file__).parent}")
    print(f"Python {platform.python_version()}, {platform.platform()}")
    print(*map(_version, LIBRARIES), sep=", ")
    print(*map(_version, FOR_ENCODERS), sep=", ")
    checks = {"ready features": _check_features}
    try:
        print("devices:", *devices())
        for name, folder in weight_folders().items():
            print(f"{name}: {folder}")
        checks["images, through a network with random weights"] = _check_images
    except ImportError as error:
        print(f"no images and texts: {error}")
    print("features: kept only where memory= of an encoder says")
    print("check: learned class by class, the labels are those of one joint fit")
    passed = [_passes(name, check) for name, check in checks.items()]
    return 0 if all(passed) else 1


def _version(name):
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"{name} is not installed"


def _passes(name, check):
    try:
        result = "yes" if check() else "NO"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        result = f"NO, {type(error).__name__}: {error}"
    print(f"  {name}: {result}")
    return result == "yes"


def _check_features():
    X, y = load_digits(return_X_y=True)
    return _stream_equals_joint_fit(LayUPClassifier(), X, y)


def _check_images():
    encoder = ImageEncoder("test_vit", pretrained=False)
    images = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    return _stream_equals_joint_fit(LayUPClassifier(encoder), images, np.arange(24) % 3)


def _stream_equals_joint_fit(classifier, X, y):
    stream, joint = clone(classifier), clone(classifier).fit(X, y)
    for label in np.unique(y):
        stream.partial_fit(X[y == label], y[y == label])
    return np.array_equal(stream.predict(X), joint.predict(X))


if __name__ == "__main__":
    sys.exit(main())
