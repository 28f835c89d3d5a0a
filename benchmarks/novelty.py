"""How to tell classes not yet learned, from the sums alone: a study on real streams.

    python -m benchmarks.novelty [--root benchmark_data] [STREAM ...]

Five class-incremental tasks, three class orders, the last one and the last four layers. After
each of the first four tasks every test sample gets a score; cells are the area under the ROC
curve of classes seen against classes still to come, in %, mean over tasks and orders.
"""

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from layup_sklearn import ClassStatistics
from layup_sklearn._choice import choose_by_evidence
from layup_sklearn._ridge import RidgeFactor

from .ridge_choice import N_ORDERS, N_TASKS
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

    def __init__(self, statistics, X):
        choice = choose_by_evidence(statistics, [X.shape[1]])
        self.X, self.class_sum, self.count = X, statistics.class_sum, statistics.class_count
        self.read(choice.factor)
        self.wide = {}
        for times in (0.1, 10):
            try:
                factor = RidgeFactor(statistics, times * choice.ridge)
            except np.linalg.LinAlgError:
                factor = choice.factor
            self.wide[times] = cosine_similarity(factor.whiten(X), factor.forward.T).max(axis=1)

    def read(self, factor):
        self.directions = factor.forward.T
        self.whitened = factor.whiten(self.X)
        self.f = self.whitened @ self.directions.T
        self.leverage = (self.whitened**2).sum(axis=1)
        Q = np.linalg.inv(np.diag(self.count) - self.directions @ self.directions.T)
        fQ = self.f @ Q
        q = (fQ * self.f).sum(axis=1)[:, np.newaxis] - 2 * fQ + Q.diagonal() - 1 / self.count
        self.within = q.min(axis=1)

    def centroid(self, distance):
        return distance(self.X, self.class_sum / self.count[:, np.newaxis])


SCORES = {
    "max score": lambda s: s.f.max(axis=1),
    "nearest mean": lambda s: -s.centroid(euclidean_distances).min(axis=1),
    "cosine to mean": lambda s: s.centroid(cosine_similarity).max(axis=1),
    "residual": lambda s: -((s.f**2).sum(axis=1) - 2 * s.f.max(axis=1)),
    "leverage": lambda s: -s.leverage,
    "Mahalanobis": lambda s: -(s.leverage + s.within),
    "Mahalanobis - leverage": lambda s: -s.within,
    "max score / sqrt(leverage)": lambda s: s.f.max(axis=1) / np.sqrt(s.leverage),
    "whitened cosine": lambda s: cosine_similarity(s.whitened, s.directions).max(axis=1),
    "the same, ridge / 10": lambda s: s.wide[0.1],
    "the same, ridge x 10": lambda s: s.wide[10],
}


def areas(X, y, train, order):
    """Area under the ROC curve of every score after each task but the last."""
    statistics = None
    for task in np.array_split(order, N_TASKS)[:-1]:
        rows = train & np.isin(y, task)
        batch = ClassStatistics.from_samples(X[rows], y[rows])
        statistics = batch if statistics is None else statistics + batch
        scores, known = Scores(statistics, X[~train]), np.isin(y[~train], statistics.classes)
        yield [100 * roc_auc_score(known, score(scores)) for score in SCORES.values()]


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
        runs = [list(areas(X, y[rows], learned[rows], order)) for order in orders]
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
