"""Tokens of texts, and what they depend on."""

import json
import os
from hashlib import blake2b

from ._locks import Lock

_UNLIMITED = 1_000_000  # tokens; tokenizers without a limit say 1e30

_PLACES = (
    "name_or_path",
    "_name_or_path",
    "is_local",
    "local_files_only",
    "transformers_version",
    "dtype",
    "torch_dtype",
)  # no part of a space

_tokenizing = Lock()  # truncation is a state of the tokenizer


def pad_token(tokenizer):
    """Token that fills up shorter texts; no state of it is used."""
    return tokenizer.pad_token_id or 0


def token_limit(tokenizer, network, max_length, model):
    """Number of tokens after which texts are cut; None where nothing limits it.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    network : transformers PreTrainedModel
    max_length : int or None
        None: as many as the tokenizer allows and the network has positions.
    model : str
        Its name, for errors.

    Returns
    -------
    limit : int or None

    Raises
    ------
    ValueError
        When max_length is more than the network has positions, or leaves no room for text.
    """
    positions = getattr(network.config.get_text_config(), "max_position_embeddings", None) or 0
    for name, module in network.named_modules():
        first = getattr(module, "padding_idx", None)
        if name.endswith("position_embeddings") and first is not None:  # RoBERTa begins after it
            positions -= first + 1
    if positions <= 0:  # relative ones
        positions = _UNLIMITED
    if max_length is None:
        limit = min(tokenizer.model_max_length, positions)
        return limit if limit < _UNLIMITED else None
    if max_length > positions:
        raise ValueError(f"max_length={max_length}, but {model} has {positions} positions.")
    if max_length <= (special := tokenizer.num_special_tokens_to_add()):
        raise ValueError(
            f"max_length={max_length} leaves no room for text beside the {special} special "
            f"tokens of {model}."
        )
    return max_length


def token_ids(tokenizer, texts, limit):
    """Tokens of texts, with special tokens, cut to a limit.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    texts : list of str
    limit : int or None

    Returns
    -------
    ids : list of list of int
    """
    with _tokenizing:
        return tokenizer(texts, truncation=limit is not None, max_length=limit)["input_ids"]


def begins_with_class_token(tokenizer):
    """Whether the first token of every text is a class token."""
    [ids] = token_ids(tokenizer, ["a"], None)
    return tokenizer.cls_token_id is not None and ids[0] == tokenizer.cls_token_id


def tokenizer_state(tokenizer):
    """Text that names what tokens depend on."""
    cut = f"{tokenizer.truncation_side} {getattr(tokenizer, 'split_special_tokens', False)}"
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        state = json.loads(backend.to_str())
        return cut + json.dumps({**state, "truncation": None, "padding": None}, sort_keys=True)
    options = {
        name: _content(value)
        for name, value in tokenizer.init_kwargs.items()
        if name not in _PLACES
    }
    vocabulary = sorted(tokenizer.get_vocab().items())
    return f"{cut} {type(tokenizer).__name__} {vocabulary} {sorted(options.items())}"


def _content(value):
    """Of a file, a digest of its bytes."""
    if isinstance(value, str) and os.path.isfile(value):
        with open(value, "rb") as file:
            return blake2b(file.read(), digest_size=16).hexdigest()
    return str(value)


def config_state(network):
    """Text that names the network's architecture."""
    config = network.config.to_dict()
    architecture = {name: value for name, value in config.items() if name not in _PLACES}
    return json.dumps(architecture, sort_keys=True, default=str)
