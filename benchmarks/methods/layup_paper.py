"""LayUP as in the paper: raw class tokens of 6 layers, ridge by 4 folds of the newest task."""

from layup_sklearn import PAPER_RIDGES, LayUPClassifier

FEATURES = {"n_layers": 6, "pool": "token"}


def make(sizes, seed):
    return LayUPClassifier(rule="ridge", cv=4, ridges=PAPER_RIDGES)
