"""Samples through a frozen network in batches, or out of a cache: what encoders share."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from itertools import chain
from numbers import Integral
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils import gen_batches

from .._typing import Samples, Transformer
from .._validation import Interval
from ._cache import as_feature_cache
from ._digests import text_digest
from ._passes import ROWS, Passes, as_slice, standardise_layers
from ._torch import torch_view

POSITIVE = Interval(Integral, 1, None, closed="left")
DEFAULT_LAYERS = 6


class FrozenEncoder(ClassNamePrefixFeaturesOutMixin, Transformer, BaseEstimator):
    """Base of encoders that are a network and nothing else.

    A subclass has the parameters `n_layers`, `layer_norm`, `batch_size`, `memory` and
    `verbose`, and these:

    - ``_unit``: what a sample is called.
    - ``as_samples(X)``: the samples as a list; checks X.
    - ``_network()``: a LoadedNetwork; checks the parameters.
    - ``_name()``: the network's, for errors.
    - ``_all_layer_sizes(network)``: widths of all layers, deepest first.
    - ``_space(network)``: text that names what features depend on, `layer_norm` apart.
    - ``_key(space, sample, position)``: of a sample in the cache, from a digest of the space.
    - ``_stamp(sample)``: what changes with the file that it is read from, or None.
    - ``_batches(network, samples, positions)``: an iterable of (positions, inputs).
    - ``_launch(network, inputs, n_layers)``: a tensor of features, deepest layer first.
    """

    _all_of_fewer = DEFAULT_LAYERS  # a number that stands for all layers where there are fewer

    def fit(self, X: object = None, y: object = None) -> Self:
        """Load the network.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : encoder
            The same object.

        Raises
        ------
        ValueError
            For parameters that do not fit each other or the network.
        OSError
            For weights that cannot be had.
        ImportError
            Where a library that the network needs is missing.
        """
        self.layer_sizes_ = self._layer_sizes(self._network())
        self._expected_fingerprint = None
        return self

    def _transform(self, X):
        samples = self.as_samples(X)
        [features] = self.transform_chunks([samples], len(samples))
        sizes = self._layer_sizes(self._network())
        if getattr(self, "layer_sizes_", None) != sizes:  # for the names of the columns
            self.layer_sizes_ = sizes
        return features

    def transform_chunks(
        self, chunks: Iterable[Samples], n_samples: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Features of one part of the samples after the other.

        On CUDA the network works on the next parts while the caller has one.

        Parameters
        ----------
        chunks : iterable
            Each what `transform` takes.
        n_samples : int, default=None
            In all of them, for the progress bar.

        Yields
        ------
        features : ndarray of shape (n_samples_of_the_part, sum of `layer_sizes_`), float32
            What `transform` gives.
        """
        network = self._network()
        self._check_fingerprint()
        sizes = self._layer_sizes(network)
        if self.memory is not None:
            for chunk in chunks:
                yield self._fill_through_cache(network, self.as_samples(chunk), sizes)
            return
        lengths = []

        def parts():
            for chunk in chunks:
                samples = self.as_samples(chunk)
                lengths.append(len(samples))
                yield samples, range(len(samples))

        normalised = sizes if self._normalises(network) else None
        features, filled, part = None, 0, 0
        for rows, values in self._forward(network, parts(), len(sizes), normalised, n_samples):
            if features is None:
                features = np.empty((lengths[part], sum(sizes)), np.float32)
            features[as_slice(rows)] = values
            filled += len(values)
            if filled == len(features):
                yield features
                features, filled, part = None, 0, part + 1

    def fingerprint(self) -> str:
        """Name of the space that the features live in.

        Encoders of equal fingerprint give the same features up to rounding (of the device,
        or of another composition of the batches); `n_layers` says how many columns of it.

        Returns
        -------
        fingerprint : str
            Hexadecimal digest of the weights and all parameters that change features.
        """
        network = self._network()
        return text_digest(f"{self._space(network)} {self._normalises(network)}")

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """From parameters out of a file."""
        return cls(**parameters)

    def saved_fingerprint(self) -> str:
        """The fingerprint for a file; of an encoder out of a file that was not used, that one's."""
        return self._expected_fingerprint or self.fingerprint()

    def expect_fingerprint(self, fingerprint: str | None) -> None:
        """Refuse other features than those of a model, whenever the network is there."""
        if fingerprint is not None:
            self._expected_fingerprint = fingerprint

    _expected_fingerprint = None

    def _check_fingerprint(self):
        expected = self._expected_fingerprint
        if expected is not None and (found := self.fingerprint()) != expected:
            raise ValueError(
                f"{self._name()} makes other features (fingerprint {found}) than the network that "
                f"the model was learned with ({expected}): its weights or parameters are others. "
                "Point encoder_ at the same weights and parameters (set_params), or learn anew."
            )

    def _normalises(self, network):
        return bool(self.layer_norm)

    def _layer_sizes(self, network):
        """Widths of the layers in use, deepest first."""
        sizes = self._all_layer_sizes(network)
        if self.n_layers is None or self.n_layers == self._all_of_fewer > len(sizes):
            return sizes
        if self.n_layers > len(sizes):
            raise ValueError(
                f"n_layers={self.n_layers}, but {self._name()} has {len(sizes)} layers."
            )
        return sizes[: self.n_layers]

    def _fill_through_cache(self, network, samples, sizes):
        features = np.empty((len(samples), sum(sizes)), np.float32)
        cache, width = as_feature_cache(self.memory), features.shape[1]
        all_sizes = self._all_layer_sizes(network)
        space = text_digest(self._space(network))  # of every key, and long
        missing, stamps = {}, {}  # key -> rows; row -> state of its file before it was read
        for part in gen_batches(len(samples), ROWS):
            stamps.update((i, self._stamp(samples[i])) for i in range(len(samples))[part])
            keys = [self._key(space, samples[i], i) for i in range(len(samples))[part]]
            found = cache.get(keys, sum(all_sizes)) if cache is not None else {}
            for row, key in enumerate(keys, start=part.start):
                if key in found:
                    features[row] = found[key][:width]
                else:
                    missing.setdefault(key, []).append(row)
        keys = {rows[0]: key for key, rows in missing.items()}
        for positions, values in self._forward(network, [(samples, list(keys))], len(all_sizes)):
            if cache is not None:  # but for files that have changed since they were named
                same = [i for i, p in enumerate(positions) if self._stamp(samples[p]) == stamps[p]]
                cache.put([keys[positions[i]] for i in same], values[same])
            for position, value in zip(positions, values):
                features[missing[keys[position]]] = value[:width]
        if self._normalises(network):
            standardise_layers(torch_view(features), sizes)
        return features

    def _forward(self, network, parts, n_layers, normalised=None, n_samples=None):
        """Yield (positions, features) of batches of (samples, positions) of some parts.

        Parameters
        ----------
        normalised : list of int, default=None
            Widths of the layers that are standardised.
        n_samples : int, default=None
            For the progress bar.
        """
        batches = chain.from_iterable(self._batches(network, *part) for part in parts)
        passes = Passes(self.batch_size, self._unit)

        def launch(inputs):
            features = self._launch(network, inputs, n_layers)
            if normalised:
                standardise_layers(features, normalised)
            return features

        results = passes.launched(batches, launch, network.device)
        with self._progress(n_samples) as progress:
            for positions, features in results:
                if progress is not None:
                    progress.update(len(features))
                yield positions, features

    def _progress(self, n_samples):
        """A bar; nothing at all where none is wanted, for tqdm has a lock that forks inherit."""
        if not self.verbose:
            return nullcontext()
        from tqdm.auto import tqdm

        return tqdm(total=n_samples, unit=self._unit)

    @property
    def _n_features_out(self):
        return sum(self.layer_sizes_)

    def __dir__(self):
        """All names. scikit-learn looks at each attribute first."""
        return object.__dir__(self)

    def _get_fitted_attr_html(self, doc_link=""):
        """scikit-learn's table of fitted attributes, of those that are there."""
        looked_at = {name: value for name, value in vars(self).items() if name.endswith("_")}
        return BaseEstimator._get_fitted_attr_html(SimpleNamespace(**looked_at), doc_link)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags
