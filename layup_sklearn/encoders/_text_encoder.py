"""Texts to multi-layer features of a frozen transformer."""

import os
from typing import Literal

import numpy as np
from joblib import Memory
from numpy.typing import NDArray

from .._typing import Samples, StrPath
from .._validation import HasMethods, StrOptions
from ._base import DEFAULT_LAYERS, POSITIVE, FrozenEncoder
from ._cache import FeatureCache
from ._layers import ORDERS, layer_order
from ._pooling import POOLINGS, columns_of
from ._texts import as_text_list, text_key, text_stamp
from ._tokens import (
    begins_with_class_token,
    config_state,
    token_ids,
    token_limit,
)
from ._torch import PRECISIONS, find_device
from ._transformers import import_transformers, load_text_network, text_features


class TextEncoder(FrozenEncoder):
    """Pooled hidden states of the last blocks of a frozen transformer for text.

    Stateless: `fit` only loads the network and so checks the parameters. The network is
    shared by clones and never part of the estimator: pickles hold parameters. Needs
    transformers (extra ``text``).

    Parameters
    ----------
    model : str or path, default="sentence-transformers/all-MiniLM-L6-v2"
        Name of a model of Hugging Face transformers on the hub, or local folder.
    n_layers : int, default=6
        Number of blocks. 6 is all of a network that has fewer; any other number that
        is too large is an error.
    layers : {"last", "spread"}, default="last"
        Which ones, where `n_layers` is not all. "last": the deepest, as in the paper. "spread":
        spread over the depth, the deepest first (of twelve 12, 6, 9, 3, 11, ...); with two to four
        layers better (benchmarks/results/layers.md).
    pool : {"avg+std", "avg", "token"}, default="avg+std"
        "avg": mean over the tokens of the text, special ones among them. "avg+std": the mean
        and after it the standard deviation, twice as many columns. "token": class token.
    layer_norm : bool, default=True
        Standardise every layer's vector, means and deviations together, over its own
        features.
    max_length : int, default=None
        Tokens, special ones among them, after which a text is cut. None: the model's own.
    device : str, default="auto"
        "auto": CUDA, else MPS, else CPU.
    precision : {"auto", "float32", "tf32", "bfloat16"}, default="auto"
        Of the network's matrix products. "bfloat16" is faster on recent GPUs.
    batch_size : int, default=64
        Texts in one pass of the network; halved, with a warning, where memory runs out.
    memory : FeatureCache, joblib.Memory, str, path or None, default=None
        Where features are kept, one entry for each distinct text with all its layers: a
        folder, for several processes and later runs, or a :class:`FeatureCache`, also in
        memory.
    verbose : int, default=0
        1 shows a progress bar with texts per second.

    Attributes
    ----------
    layer_sizes_ : list of int
        Widths of the layers in the order of the columns: deepest first.

    See Also
    --------
    LayUPClassifier : Learns from these features, task by task.
    ImageEncoder : The same for images.

    Notes
    -----
    With h_l(x, t) the hidden state of token t after block l, the row of text x is
    [h_L, h_(L-1), ...], each a mean over t, with or without the standard deviation, or the
    state of the first token. The defaults are the best of what was measured with two text
    streams (benchmarks/results/defaults.md). The hidden states are those that transformers
    gives: many decoders apply their final norm to the last one.

    Texts of like length share a batch, and no state of padding is used. Where padding
    changes the states of the text itself (FNet), only texts of as many tokens share a pass.

    Only the encoder of an encoder-decoder (T5, BART) is used.

    References
    ----------
    .. [1] Ahrens, Lehmann, Lee, Wermter, "Read Between the Layers", TMLR 2024,
       arXiv:2312.08888.
    .. [2] Reimers, Gurevych, "Sentence-BERT", EMNLP 2019, arXiv:1908.10084.

    Examples
    --------
    >>> from layup_sklearn import LayUPClassifier, TextEncoder
    >>> classifier = LayUPClassifier(TextEncoder("sentence-transformers/all-MiniLM-L6-v2"))
    >>> texts, y = ["goal in the last minute", "rates were raised"], ["sport", "economy"]
    >>> classifier.partial_fit(texts, y).predict(texts)  # doctest: +SKIP
    array(['sport', 'economy'], dtype='<U7')
    """

    _parameter_constraints = {
        "model": [str, os.PathLike],
        "n_layers": [POSITIVE],
        "layers": [StrOptions(ORDERS)],
        "pool": [StrOptions(set(POOLINGS))],
        "layer_norm": ["boolean"],
        "max_length": [None, POSITIVE],
        "device": [str],
        "precision": [StrOptions(PRECISIONS)],
        "batch_size": [POSITIVE],
        "memory": [None, str, os.PathLike, FeatureCache, HasMethods("cache")],
        "verbose": ["verbose"],
    }
    _unit = "text"
    as_samples = staticmethod(as_text_list)
    _key = staticmethod(text_key)
    _stamp = staticmethod(text_stamp)

    def __init__(
        self,
        model: StrPath = "sentence-transformers/all-MiniLM-L6-v2",
        *,
        n_layers: int = DEFAULT_LAYERS,
        layers: Literal["last", "spread"] = "last",
        pool: Literal["token", "avg", "avg+std"] = "avg+std",
        layer_norm: bool = True,
        max_length: int | None = None,
        device: str = "auto",
        precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto",
        batch_size: int = 64,
        memory: FeatureCache | Memory | StrPath | None = None,
        verbose: int = 0,
    ):
        self.model = model
        self.n_layers = n_layers
        self.layers = layers
        self.pool = pool
        self.layer_norm = layer_norm
        self.max_length = max_length
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self.memory = memory
        self.verbose = verbose

    def transform(self, X: Samples) -> NDArray[np.float32]:
        """Compute features of texts.

        Parameters
        ----------
        X : list, ndarray, pandas Series or one-column DataFrame
            Texts of type str.

        Returns
        -------
        features : ndarray of shape (n_texts, sum of `layer_sizes_`), float32
            Deepest layer first.

        Raises
        ------
        ValueError
            For something that is not a text; names its position.
        """
        return self._transform(X)

    def _name(self):
        return repr(os.fspath(self.model))

    def _network(self):
        self._validate_params()
        import_transformers()
        network = load_text_network(self.model, find_device(self.device))
        if POOLINGS[self.pool].of_class_token and not begins_with_class_token(network.tokenizer):
            raise ValueError(f"{self._name()} has no class token: use pool='avg'.")
        self._limit(network)
        return network

    def _limit(self, network):
        return token_limit(network.tokenizer, network.module, self.max_length, self._name())

    def _all_layer_sizes(self, network):
        widths = network.layer_sizes
        sizes = [widths[layer - 1] for layer in layer_order(self.layers, len(widths))]
        return columns_of(sizes, self.pool)

    def _space(self, network):
        config, tokens = config_state(network.module), network.tokenizer_state
        limit = self._limit(network)
        return (
            f"{network.digest} {config} {tokens} {limit} {self.pool} {self.precision} {self.layers}"
        )

    def _batches(self, network, texts, positions):
        limit = self._limit(network)
        longest_first = sorted(positions, key=lambda position: -len(texts[position]))
        for start in range(0, len(longest_first), self.batch_size):
            batch = longest_first[start : start + self.batch_size]
            ids = token_ids(network.tokenizer, [texts[i] for i in batch], limit)
            for part in _of_equal_length(ids) if network.sees_padding else [range(len(ids))]:
                yield [batch[i] for i in part], [ids[i] for i in part]

    def _launch(self, network, ids, n_layers):
        layers = layer_order(self.layers, len(network.layer_sizes))[:n_layers]
        return text_features(network.module, ids, network.pad, layers, self.pool, self.precision)


def _of_equal_length(ids):
    """Places of the lists of each length."""
    lengths = np.array([len(tokens) for tokens in ids])
    return [np.flatnonzero(lengths == length).tolist() for length in np.unique(lengths)]
