"""Logistic regression of scikit-learn on all samples so far, standardised, C by three folds."""

import numpy as np
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ._collected import Collected
from .layup import FEATURES  # noqa: F401


class Logistic(Collected):
    """C = 0.01 where a class has fewer than three samples."""

    def learn(self, X, codes):
        if np.bincount(codes).min() < 3:
            model = LogisticRegression(C=0.01, max_iter=200)
        else:
            model = LogisticRegressionCV(
                Cs=[1e-4, 1e-3, 1e-2, 1e-1], cv=3, max_iter=200, l1_ratios=(0,)
            )
        self.model_ = make_pipeline(StandardScaler(), model).fit(X, codes)

    def predict(self, X):
        return self.classes_[self.model_.predict(X)]


def make(sizes, seed):
    return Logistic()
