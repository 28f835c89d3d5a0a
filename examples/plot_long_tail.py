"""
A long tail of rare classes
===========================

Some classes have a hundred samples, others five: what is the answer worth for the rare ones, and
how much of it is the classes' shares? They enter as `priors`, which may change after learning.

The picture: accuracy of each class, frequent ones left. The paper's rule loses many of the rare
classes; the same sums read as Gaussian classes keep most of them, here with either shares.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import PolynomialFeatures

from layup_sklearn import LayUPClassifier
from layup_sklearn.evaluation import class_incremental_tasks, long_tailed_tasks

# %%
# Digits as ready features, the 64 pixels and their products; classes of 1:20, frequent ones first.
X, y = load_digits(return_X_y=True)
X = PolynomialFeatures(2, include_bias=False).fit_transform(X / 16)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.6, stratify=y, random_state=0
)
tasks = class_incremental_tasks(y_train, y_test, 5, class_order=np.arange(10))
tasks = long_tailed_tasks(tasks, y_train, ratio=20, ordered=True, random_state=0)

# %%
# One model learns the five tasks; it is asked under three rules, and solves twice for them.
classifier = LayUPClassifier()
for train, _ in tasks:
    classifier.partial_fit(X_train[train], y_train[train])
counts = classifier.class_count_.astype(int)

rules = {
    "paper's rule": {"rule": "ridge", "priors": None},
    "shares as learned": {"rule": "gaussian", "priors": None},
    "uniform shares": {"rule": "gaussian", "priors": "uniform"},
}
recalls = {}
for name, parameters in rules.items():
    predicted = classifier.set_params(**parameters).predict(X_test)
    recalls[name] = confusion_matrix(y_test, predicted, normalize="true").diagonal()
    rare = recalls[name][counts < 20].mean()
    print(f"{name:18} all classes {recalls[name].mean():.3f}, those of less than 20 {rare:.3f}")

# %%
# Right answers of each class, by the number of its training samples.
figure, ax = plt.subplots(figsize=(7.5, 4), layout="constrained")
styles = [("#56606B", ":", "s"), ("#0072B2", "--", "^"), ("#D55E00", "-", "o")]
for (name, recall), (color, line, marker) in zip(recalls.items(), styles):
    ax.plot(range(10), recall, color=color, linestyle=line, marker=marker, label=name)
ax.set_xticks(range(10), [f"{digit}\n{count}" for digit, count in enumerate(counts)])
ax.set(xlabel="digit, and its training samples", ylabel="share of right answers", ylim=(0, 1.03))
ax.legend(frameon=False)
figure.savefig("long_tail.png", dpi=120)
print("figure: long_tail.png")
