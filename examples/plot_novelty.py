"""
Has it seen this before?
========================

A classifier that learns class by class meets samples of classes that nobody has taught it yet.
It will name one of the classes it knows, and may be sure of it. Can it tell, from the sums it
keeps, that a sample is like nothing it has learned?

Ready features (the pixels of scikit-learn's digits), no network: a few seconds.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from layup_sklearn import LayUPClassifier

# %%
# The digits 0 to 6 are learned; 7, 8 and 9 are still to come.
X, y = load_digits(return_X_y=True)
parts = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
X_train, X_test, y_train, y_test = map(np.asarray, parts)
parts = train_test_split(X_test, y_test, test_size=0.6, stratify=y_test, random_state=0)
X_known, X_test, y_known, y_test = map(np.asarray, parts)
first = y_train < 7
classifier = LayUPClassifier().partial_fit(X_train[first], y_train[first])

# %%
# Every sample of a digit to come gets the name of a digit learned, some with high probability.
to_come = y_test >= 7
sure = classifier.predict_proba(X_test).max(axis=1) > 0.9
print(f"digits to come named with a probability over 0.9: {sure[to_come].mean():.0%}")

# %%
# ``score_samples`` asks another question: does the sample look like any class at all? The
# threshold is the score that 95 % of held-out samples of the known digits exceed.
before = classifier.score_samples(X_test)
threshold = np.quantile(classifier.score_samples(X_known[y_known < 7]), 0.05)
print(f"digits to come below the threshold:  {(before[to_come] < threshold).mean():.0%}")
print(f"digits learned below the threshold:  {(before[~to_come] < threshold).mean():.0%}")
print(f"area under the ROC curve, novelty score:    {roc_auc_score(~to_come, before):.3f}")
largest = classifier.decision_function(X_test).max(axis=1)
print(f"area under the ROC curve, largest score:    {roc_auc_score(~to_come, largest):.3f}")

# %%
# Then the new digits are learned, on top of the same sums, and are new no longer.
classifier.partial_fit(X_train[~first], y_train[~first])
after = classifier.score_samples(X_test)
print(f"once learned, 7 to 9 below the threshold:   {(after[to_come] < threshold).mean():.0%}")
print(f"accuracy on all ten digits: {classifier.score(X_test, y_test):.3f}")

figure, axes = plt.subplots(2, sharex=True, figsize=(6, 5))
bins = np.linspace(min(before.min(), after.min()), max(before.max(), after.max()), 40)
titles = ["0 to 6 are learned", "7 to 9 are learned, too"]
for axis, scores, title in zip(axes, (before, after), titles, strict=True):
    axis.hist(scores[~to_come], bins, alpha=0.6, label="digits 0 to 6")
    axis.hist(scores[to_come], bins, alpha=0.6, label="digits 7 to 9")
    axis.axvline(threshold, color="black", linestyle="--", label="threshold")
    axis.set(title=title, ylabel="test samples")
axes[0].legend()
axes[1].set_xlabel("score_samples: the higher, the more normal")
figure.tight_layout()
figure.savefig("novelty.png", dpi=120)
print("histograms of the scores: novelty.png")
