import os
import sys
from functools import partial

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of a process of `pytest -n auto`: a core
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn's battery has a check for it

# The same examples in every run; other ones with pytest --hypothesis-profile=default
settings.register_profile("the same", derandomize=True)
settings.load_profile("the same")


@pytest.fixture
def few_random_features(monkeypatch):
    """Methods of the benchmarks with hundreds of random features, as tests have few samples."""
    from benchmarks import methods
    from benchmarks.methods.klda import FourierLDA
    from benchmarks.methods.loranpac import LoRanPAC

    for name, shrinkage in (("klda", 1e-6), ("randumb", 1e-4)):
        make = partial(lambda shrinkage, sizes, seed: FourierLDA(300, shrinkage, seed), shrinkage)
        monkeypatch.setattr(methods.get(name), "make", make)
    of_fourier = methods.get("layup_fourier").make([], 0).set_params(encoder__n_components=300)
    monkeypatch.setattr(methods.get("layup_fourier"), "make", lambda sizes, seed: of_fourier)
    few = LoRanPAC(300)
    monkeypatch.setattr(methods.get("loranpac"), "make", lambda sizes, seed: few)


@pytest.fixture(autouse=True)
def closed_figures():
    """Figures of a test are gone after it: pyplot warns of more than twenty."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
