"""
One sample at a time
====================

A stream brings single samples, each seen once. ``partial_fit`` adds them to the sums; the ridge
is chosen and the system solved when a prediction is asked for. How good is the classifier on
the way, and what does it cost?
"""

from time import perf_counter

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from layup_sklearn import LayUPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=450, random_state=0)

# %%
# Every digit is predicted before it is learned ("test, then train"); a look at the test set
# from time to time.
classifier = LayUPClassifier()
right, looks, seconds = [], [], {"learn": 0.0, "predict": 0.0}
for i, (x, label) in enumerate(zip(X_train, y_train)):
    start = perf_counter()
    if i:
        right.append(classifier.predict([x])[0] == label)
    middle = perf_counter()
    classifier.partial_fit([x], [label])
    seconds["learn"] += perf_counter() - middle
    seconds["predict"] += middle - start
    if i % 100 == 99:
        looks.append((i + 1, classifier.score(X_test, y_test)))
print(f"a sample learned: {1e3 * seconds['learn'] / len(X_train):.2f} ms")
print(
    f"a sample predicted, with a new choice of the ridge: "
    f"{1e3 * seconds['predict'] / len(X_train):.2f} ms"
)

# %%
# The end is that of one fit on everything, whatever the order.
joint = LayUPClassifier().fit(X_train, y_train)
same = (joint.predict(X_test) == classifier.predict(X_test)).mean()
print(f"labels as after one fit on all samples: {100 * same:.0f} %")

# %%
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
window = 100
running = np.convolve(right, np.ones(window) / window, mode="valid")
ax.plot(np.arange(len(running)) + window, running, label=f"last {window} samples, before learning")
ax.plot(*zip(*looks), "o-", label="test set")
ax.axhline(joint.score(X_test, y_test), color="black", linestyle=":", label="all at once")
ax.set(xlabel="samples learned", ylabel="accuracy", ylim=(0.4, 1))
ax.legend()
figure.savefig("online_stream.png", dpi=120)
print("figure: online_stream.png")
