"""
Which sample should be labelled next?
=====================================

Labels cost work, samples do not. A model that learns one sample in milliseconds can say after
each label which one it would like to see next: the one whose two best classes are closest.

The picture: accuracy on the test samples against the number of labels, for labels that were asked
for and for labels at random (three draws).
"""

from time import perf_counter

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from layup_sklearn import LayUPClassifier

N_LABELS = 150

# %%
# Digits as ready features: a thousand without labels, and a test.
X, y = load_digits(return_X_y=True)
split = train_test_split(X, y, train_size=1000, stratify=y, random_state=0)
X_pool, X_test, y_pool, y_test = map(np.asarray, split)


# %%
# Start with ten samples at random. A batch of candidates keeps an answer fast when the pool is
# large; labels of classes that were never seen are welcome at any time.
def curve(ask, seed):
    """Accuracy after each label, and seconds for each answer."""
    rng = np.random.default_rng(seed)
    left = rng.permutation(len(X_pool))
    first, left = left[:10], left[10:]
    classifier = LayUPClassifier(ridge=100.0, priors="uniform").fit(X_pool[first], y_pool[first])
    accuracy, seconds = [], []
    while len(accuracy) < N_LABELS:
        start = perf_counter()
        candidates = left[:200]
        probabilities = classifier.predict_top_k(X_pool[candidates], k=2)[1]
        position = int(np.argmin(probabilities[:, 0] - probabilities[:, -1])) if ask else 0
        row, left = left[position], np.delete(left, position)
        classifier.partial_fit(X_pool[[row]], y_pool[[row]])
        seconds.append(perf_counter() - start)
        rng.shuffle(left)
        accuracy.append(classifier.score(X_test, y_test))
    return accuracy, seconds


asked, drawn = ([curve(ask, seed) for seed in range(3)] for ask in (True, False))
median = 1000 * np.median([seconds for _, seconds in asked])
print(f"an answer and a label learned: {median:.1f} ms (median)")
for name, runs in {"asked for": asked, "at random": drawn}.items():
    final = np.mean([accuracy[-1] for accuracy, _ in runs])
    print(f"{N_LABELS} labels {name}: {final:.3f}")

# %%
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, runs, color in (("asked for", asked, "#D55E00"), ("at random", drawn, "#56606B")):
    for i, (accuracy, _) in enumerate(runs):
        label = f"labels {name}" if i == 0 else None
        ax.plot(np.arange(11, 11 + N_LABELS), accuracy, color=color, lw=1, label=label)
ax.set(xlabel="labels", ylabel="accuracy on the test samples")
ax.grid(alpha=0.3)
ax.legend(frameon=False)
figure.savefig("active_labelling.png", dpi=120)
print("figure: active_labelling.png")
