"""
Two places, one model, and samples that must go
===============================================

Handwritten digits lie in two places and may not leave them. Can a model be learned from both,
and can samples be taken out again, as if they had never been seen?
"""

import copy
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from layup_sklearn import LayUPClassifier

# %%
# The first place sees the digits 0 to 5, the second 4 to 9. Ready features: the pixels.
X, y = load_digits(return_X_y=True)
parts = train_test_split(X, y, test_size=0.5, random_state=0)
X_train, X_test, y_train, y_test = map(np.asarray, parts)
rng = np.random.default_rng(0)
first = (y_train < 4) | ((y_train < 6) & (rng.random(len(y_train)) < 0.5))

models = {
    "first place": LayUPClassifier().fit(X_train[first], y_train[first]),
    "second place": LayUPClassifier().fit(X_train[~first], y_train[~first]),
}

# %%
# What travels is one file of sums, and no samples.
with tempfile.TemporaryDirectory() as folder:
    for name, model in models.items():
        model.save(Path(folder) / f"{name}.safetensors")
    merged = LayUPClassifier.load(Path(folder) / "first place.safetensors")
    merged.merge(LayUPClassifier.load(Path(folder) / "second place.safetensors"))

joint = LayUPClassifier().fit(X_train, y_train)
same = (merged.predict(X_test) == joint.predict(X_test)).all()
print(f"merged and joint model give the same labels: {same}")
models["merged"] = merged

# %%
# A tenth of the samples is withdrawn, among them every digit 9. Nothing else is needed to
# take them out, and nothing of them stays.
withdrawn = (y_train == 9) | (rng.random(len(y_train)) < 0.1)
rest = copy.deepcopy(merged)
rest.forget(X_train[withdrawn], y_train[withdrawn])
never = LayUPClassifier().fit(X_train[~withdrawn], y_train[~withdrawn])
same = (rest.predict(X_test) == never.predict(X_test)).all()
print(f"after forgetting, labels are those of a model that never saw them: {same}")
models["after forgetting"] = rest

# %%
# What was never learned cannot be forgotten; the model stays as it was.
try:
    rest.forget(X_train[withdrawn], y_train[withdrawn])
except ValueError as error:
    print(f"again: {error}")

# %%
# Accuracy on the test images of every digit.
figure, axes = plt.subplots(figsize=(7, 2.6))
accuracy = [
    [model.score(X_test[y_test == digit], y_test[y_test == digit]) for digit in range(10)]
    for model in models.values()
]
picture = axes.imshow(accuracy, vmin=0, vmax=1)
for (row, digit), value in np.ndenumerate(accuracy):
    shade = "black" if value > 0.6 else "white"
    axes.text(digit, row, f"{value:.2f}", ha="center", va="center", color=shade, fontsize=8)
axes.set_xticks(range(10))
axes.set_yticks(range(len(models)), models)
axes.set(xlabel="digit")
figure.colorbar(picture, label="accuracy")
figure.savefig("merge_and_forget.png", dpi=120, bbox_inches="tight")
print("figure: merge_and_forget.png")
