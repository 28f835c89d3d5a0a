"""Every block of Python in the README runs as it stands there, one after the other."""

import re
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Two weeks of photos, as the README has them."""
    rng = np.random.default_rng(0)
    for name in ("week1/cat", "week1/dog", "week2/owl", "week2/fox"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.jpg")
    Image.fromarray(pixels).save(tmp_path / "new.jpg")
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_every_block_of_the_readme_runs(pictures, monkeypatch):
    pytest.importorskip("torch")
    from layup_sklearn.encoders import _image_encoder

    load = _image_encoder.load_network

    def load_small(model, *, pretrained, checkpoint_path, image_size, device):
        """Whatever its name, a tiny network with random weights: hubs are not for tests."""
        return load(
            "test_vit", pretrained=False, checkpoint_path=None, image_size=32, device=device
        )

    monkeypatch.setattr(_image_encoder, "load_network", load_small)
    names = {"__name__": "readme"}
    assert len(BLOCKS) >= 10
    with joblib.parallel_config("threading"):  # processes would know the real networks only
        for block in BLOCKS:
            exec(compile(block, f"README.md: {block.splitlines()[0]}", "exec"), names)
    assert set(names["search"].best_params_) == {"encoder__n_layers", "priors"}
    assert len(names["clf"].predict(names["images"])) == len(names["labels"])
