"""What a solved model says of the samples of a call, chunk by chunk."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ._model import Model
from ._readout import largest
from ._solution import Solution, familiarity_of

_LOWEST = np.finfo(np.float64).min


class Answers:
    """What is asked of some samples; only what is answered is held for all of them.

    Parameters
    ----------
    model : Model
    solution : Solution
        Of the model.
    priors : None, "uniform" or mapping of label -> share
        Of the classes, where the rule knows them.
    chunks : iterator of ndarray of shape (n_rows, n_features)
        Features in use; read by the first question.
    """

    def __init__(self, model: Model, solution: Solution, priors, chunks: Iterator[NDArray]):
        self.model, self.solution, self.chunks = model, solution, chunks
        self.classes = model.statistics.classes
        self.rule = solution.with_priors(priors, self.classes)

    def scores(self):
        """Of the classes, the lowest float for those that are not answered."""
        return self._each(lambda rows: np.maximum(self._scores(rows), _LOWEST))

    def labels(self):
        """Of largest score."""
        return self.classes[self._each(lambda rows: self._scores(rows).argmax(axis=1))]

    def probabilities(self):
        """Of the classes; 0 for those that are not answered."""
        return self._each(lambda rows: self.solution.probabilities(self._scores(rows)))

    def log_probabilities(self):
        """Logarithms of them."""
        return self._each(lambda rows: self.solution.log_probabilities(self._scores(rows)))

    def top_labels(self, k):
        """Labels of the k largest scores, best first, and their probabilities."""

        def top(rows):
            scores = self._scores(rows)
            best = largest(scores, k)
            return best, np.take_along_axis(self.solution.probabilities(scores), best, axis=1)

        best, probabilities = self._each(top)
        return self.classes[best], probabilities

    def reliable_labels(self, min_probability, min_similarity):
        """Labels of largest score, and whether both bounds hold; -1 asks for no similarity."""
        asked = min_similarity > -1
        similarity = familiarity_of(self.model, self.solution) if asked else None

        def answer(rows):
            scores = self._scores(rows)
            accepted = self.solution.probabilities(scores).max(axis=1) >= min_probability
            if similarity is not None:
                accepted &= similarity(rows) >= min_similarity
            return scores.argmax(axis=1), accepted

        best, accepted = self._each(answer)
        return self.classes[best], accepted

    def familiarity(self):
        """Whitened cosine similarity to the nearest class mean."""
        return self._each(familiarity_of(self.model, self.solution))

    def _scores(self, rows):
        return self.rule.scores(rows, self.solution.seen)

    def _each(self, function):
        """What a function of chunks gives for all samples: one array, or a tuple of them."""
        parts = [function(rows) for rows in self.chunks]
        if isinstance(parts[0], tuple):
            return tuple(map(np.concatenate, zip(*parts)))
        return np.concatenate(parts)
