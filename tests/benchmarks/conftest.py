import pytest

pytest.importorskip("matplotlib")
from benchmarks import methods
from benchmarks.methods.klda import FourierLDA


@pytest.fixture
def few_random_features(monkeypatch):
    """Methods of thousands of random features with hundreds of them, as tests have few samples."""
    for name, shrinkage in (("klda", 1e-6), ("randumb", 1e-4)):
        make = lambda sizes, seed, shrinkage=shrinkage: FourierLDA(300, shrinkage, seed)  # noqa: E731
        monkeypatch.setattr(methods.get(name), "make", make)
