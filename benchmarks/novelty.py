"""How to tell classes not yet learned, from the sums alone: a study on real streams.

    python -m benchmarks.novelty [--root benchmark_data] [STREAM ...]

Five class-incremental tasks, three class orders, the last one and the last four layers, the ridge
by evidence. After each of the first four tasks every test sample gets a score; cells are the area
under the ROC curve of classes seen against classes still to come, in %, mean over tasks and
orders. "whitened cosine" is `score_samples`.
"""

from copy import copy

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from layup_sklearn import LayUPClassifier
from layup_sklearn._ridge import RidgeFactor
from layup_sklearn.evaluation import class_incremental_tasks, evaluate_continual

from .ridge_choice import N_ORDERS, N_TASKS, seen_sums
from .streams import each_stream


class Scores:
    """Scores of rows, the higher, the more normal; A = G + ridge I.

    Notes
    -----
    With the ridge scores f and B = C A^-1 C', Woodbury's identity gives the Mahalanobis distance
    to class mean c, under the within-class scatter G - C' N^-1 C + ridge I, from A alone::

        d_c = h + q_c        h = x' A^-1 x
        q_c = (f - e_c)' Q (f - e_c) - 1 / N_c        Q = (N - B)^-1
    """

    def __init__(self, classifier, X):
        self.X, self.classifier, self.familiar = X, classifier, classifier.score_samples(X)
        self.sums, self.ridge = seen_sums(classifier), classifier.ridge_
        factor = RidgeFactor(self.sums, self.ridge)
        directions, count = factor.forward.T, self.sums.class_count
        self.f = factor.whiten(X) @ directions.T
        self.leverage = factor.leverage(X)
        Q = np.linalg.inv(np.diag(count) - directions @ directions.T)
        fQ = self.f @ Q
        q = (fQ * self.f).sum(axis=1)[:, np.newaxis] - 2 * fQ + Q.diagonal() - 1 / count
        self.within = q.min(axis=1)

    def to_means(self, measure):
        return measure(self.X, self.sums.class_sum / self.sums.class_count[:, np.newaxis])

    def at_ridge(self, times):
        """The whitened cosine at another ridge; at this one where that is too small."""
        other = copy(self.classifier).set_params(ridge=times * self.ridge)
        try:
            return other.score_samples(self.X)
        except np.linalg.LinAlgError:
            return self.familiar


SCORES = {
    "max score": lambda s: s.f.max(axis=1),
    "nearest mean": lambda s: -s.to_means(euclidean_distances).min(axis=1),
    "cosine to mean": lambda s: s.to_means(cosine_similarity).max(axis=1),
    "residual": lambda s: -((s.f**2).sum(axis=1) - 2 * s.f.max(axis=1)),
    "leverage": lambda s: -s.leverage,
    "Mahalanobis": lambda s: -(s.leverage + s.within),
    "Mahalanobis - leverage": lambda s: -s.within,
    "max score / sqrt(leverage)": lambda s: s.f.max(axis=1) / np.sqrt(s.leverage),
    "whitened cosine": lambda s: s.familiar,
    "the same, ridge / 10": lambda s: s.at_ridge(0.1),
    "the same, ridge x 10": lambda s: s.at_ridge(10),
}


def areas(X, y, train, order):
    """Area under the ROC curve of every score after each task but the last."""
    tasks = class_incremental_tasks(y[train], y[~train], N_TASKS, class_order=order)
    found = []

    def measure(t, classifier):
        if t + 1 < N_TASKS:
            scores = Scores(classifier, X[~train])
            known = np.isin(y[~train], scores.sums.classes)
            found.append([100 * roc_auc_score(known, score(scores)) for score in SCORES.values()])

    data = X[train], y[train], X[~train], y[~train]
    evaluate_continual(LayUPClassifier(rule="ridge"), tasks, *data, callback=measure)
    return found


def thinned(y, train):
    """Training mask in which the classes keep from all to a tenth of their samples."""
    labels, code = np.unique(y, return_inverse=True)
    share = np.random.default_rng(0).permutation(np.geomspace(0.1, 1, len(labels)))
    return train & (np.random.default_rng(1).random(len(y)) < share[code])


def measure(stream, thin):
    _, y, train = stream.samples(1)
    learned = thinned(y, train) if thin else train
    rows = learned | ~train
    orders = [np.random.default_rng(i).permutation(np.unique(y)) for i in range(N_ORDERS)]
    for n_layers in (1, 4):
        X = stream.samples(n_layers)[0].astype(np.float64)[rows]
        runs = [areas(X, y[rows], learned[rows], order) for order in orders]
        yield f"{stream.name}, {n_layers}", np.mean(runs, axis=(0, 1))


def main():
    streams = each_stream(__doc__)
    for thin in (False, True):
        if thin:
            print(
                "\nThe same when the classes keep from all to a tenth of their training samples:\n"
            )
        print(f"| stream | {' | '.join(SCORES)} |\n" + "|---" * (len(SCORES) + 1) + "|")
        table = []
        for stream in streams():
            for name, row in measure(stream, thin):
                table.append(row)
                print(f"| {name} | {' | '.join(f'{area:.1f}' for area in row)} |", flush=True)
        print(f"| mean | {' | '.join(f'**{area:.1f}**' for area in np.mean(table, axis=0))} |")


if __name__ == "__main__":
    main()
