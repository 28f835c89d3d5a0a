"""
Your own photos, from a folder per class
========================================

Two weeks of photos, predict, save, load: the shortest way from a folder to a classifier. Here
the folders are made first, of coloured shapes, and the network is a tiny one with random
weights; with real photos leave both away and name a real network.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

rng = np.random.default_rng(0)
for week, names in (("week1", ("circle", "square")), ("week2", ("bar", "ring"))):
    for name in names:
        for i in range(20):
            picture = Image.new("RGB", (64, 64), tuple(rng.integers(180, 256, 3)))
            x, y = rng.integers(8, 24, 2)
            ink, pen = tuple(rng.integers(0, 120, 3)), ImageDraw.Draw(picture)
            if name == "circle":
                pen.ellipse((x, y, x + 32, y + 32), fill=ink)
            elif name == "square":
                pen.rectangle((x, y, x + 32, y + 32), fill=ink)
            elif name == "bar":
                pen.rectangle((x, y, x + 6, y + 36), fill=ink)
            else:
                pen.ellipse((x, y, x + 32, y + 32), outline=ink, width=4)
            path = Path("photos", week, name, f"{i}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)

# %%
from layup_sklearn import ImageEncoder, LayUPClassifier

classifier = LayUPClassifier(ImageEncoder("test_vit", pretrained=False))
for week in ("week1", "week2"):
    paths = sorted(Path("photos", week).glob("*/*.png"))
    classifier.partial_fit(paths[::2], [path.parent.name for path in paths[::2]])
classifier.save("photos.safetensors")

classifier = LayUPClassifier.load("photos.safetensors")
paths = sorted(Path("photos").glob("week*/*/*.png"))[1::2]
print("seen:", *classifier.classes_)
print("right:", np.mean(classifier.predict(paths) == [path.parent.name for path in paths]))
