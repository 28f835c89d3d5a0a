"""
Ready features, new classes every week
======================================

Embeddings from anywhere — an API, a data base, a network that ran long ago — need no encoder and
no torch. Ten classes arrive two at a time. Does it matter that they do not arrive together?

The features here are the 64 pixels of scikit-learn's digits and their pairwise products.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import PolynomialFeatures

from layup_sklearn import LayUPClassifier
from layup_sklearn.evaluation import (
    AccuracyCurvesDisplay,
    AccuracyMatrixDisplay,
    class_incremental_tasks,
    evaluate_continual,
)

# %%
# 2,144 features of 1,797 digits.
X, y = load_digits(return_X_y=True)
X = PolynomialFeatures(2, include_bias=False).fit_transform(X / 16)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# Five tasks of two classes; after each, the accuracy on all classes so far. The same with
# gradient descent, which sees each task's samples and nothing else.
tasks = class_incremental_tasks(y_train, y_test, 5, random_state=0)
data = X_train, y_train, X_test, y_test
layup = evaluate_continual(LayUPClassifier(), tasks, *data)
sgd = evaluate_continual(SGDClassifier(loss="log_loss", random_state=0), tasks, *data)
joint = LayUPClassifier().fit(X_train, y_train)
print(f"LayUP, task by task: {layup.weighted_accuracy[-1]:.3f}")
print(f"LayUP, all at once:  {joint.score(X_test, y_test):.3f}")
print(f"SGD, task by task:   {sgd.weighted_accuracy[-1]:.3f}")

# %%
# What is forgotten: row t is the accuracy on every task after learning task t.
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
AccuracyCurvesDisplay.from_results({"LayUP": layup, "SGD": sgd}, ax=panels[0])
AccuracyMatrixDisplay.from_result(layup, ax=panels[1])
panels[1].set_title("LayUP")
figure.savefig("own_features.png", dpi=120)
print("figure: own_features.png")
