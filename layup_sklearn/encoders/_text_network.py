"""Networks of Hugging Face transformers: loading, tokens, hidden states."""

import json
import os
import threading
from contextlib import suppress
from functools import lru_cache
from importlib import import_module

from ._torch import device_of, first_line, import_past_torchvision, inference

_UNLIMITED = 1_000_000  # tokens; tokenizers without a limit say 1e30
_PLACES = ("_name_or_path", "transformers_version", "dtype", "torch_dtype")  # no part of a space
_tokenizing = threading.Lock()  # truncation is a state of the tokenizer


def import_transformers():
    """Import transformers, also where torchvision's compiled operators do not load.

    Returns
    -------
    transformers : module

    Raises
    ------
    ImportError
        When torch or transformers is not installed.
    """
    try:
        transformers, _ = map(import_module, ("transformers", "torch"))
    except ModuleNotFoundError as error:
        raise ImportError(
            f"TextEncoder needs torch and transformers, and {error.name!r} is missing: install "
            "them with pip install 'layup_sklearn[text]'."
        ) from error
    with suppress(ModuleNotFoundError):  # texts can do without
        import_past_torchvision("torchvision")
    return transformers


def load_text_network(model, device):
    """Tokenizer and frozen network, shared by all that ask for the same ones.

    Parameters
    ----------
    model : str or path
        Name on the hub, or local folder.
    device : str

    Returns
    -------
    tokenizer : transformers tokenizer
    network : torch.nn.Module
        In evaluation mode, without gradients, float32; of an encoder-decoder, the encoder.

    Raises
    ------
    OSError
        For files that cannot be had.
    ValueError
        For files that are no tokenizer and network for text.
    """
    model, files = os.fspath(model), None
    if os.path.isdir(model):
        model = os.path.abspath(model)
        files = tuple(sorted((f.name, f.stat().st_mtime_ns) for f in os.scandir(model)))
    elif os.path.isabs(model) or model.startswith((".", "~")):
        raise FileNotFoundError(f"model={model!r} is not a folder.")
    return _load_text_network(model, files, device)


@lru_cache(maxsize=2)
def _load_text_network(model, files, device):
    transformers = import_transformers()
    import torch

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # a pooler that is not in the file
            network, loaded = transformers.AutoModel.from_pretrained(
                model, output_loading_info=True
            )
    except Exception as error:  # of many kinds
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(
            f"{model!r} could not be loaded ({first_line(error)}); give a folder with a tokenizer "
            "and weights of transformers, or a name on the hub."
        ) from error
    if missing := sorted(name for name in loaded["missing_keys"] if "pooler" not in name):
        raise ValueError(
            f"{model!r} lacks {len(missing)} weights of a {type(network).__name__}, for instance "
            f"{missing[0]!r}."
        )
    if network.config.is_encoder_decoder:
        network = network.get_encoder()
    network.config.use_cache = False
    return tokenizer, network.eval().requires_grad_(False).float().to(device)


def text_layer_sizes(network):
    """Widths of all blocks.

    Parameters
    ----------
    network : transformers PreTrainedModel

    Returns
    -------
    sizes : list of int
    """
    config = network.config.get_text_config()
    return [config.hidden_size] * config.num_hidden_layers


def token_limit(tokenizer, network, max_length, name):
    """Number of tokens after which texts are cut; None where nothing limits it.

    Parameters
    ----------
    tokenizer : transformers tokenizer
    network : transformers PreTrainedModel
    max_length : int or None
        None: as many as the tokenizer allows and the network has positions.
    name : str
        Of the model, for errors.

    Returns
    -------
    limit : int or None

    Raises
    ------
    ValueError
        When max_length is more than the network has positions, or leaves no room for text.
    """
    positions = getattr(network.config.get_text_config(), "max_position_embeddings", None) or 0
    if positions <= 0:  # relative ones
        positions = _UNLIMITED
    if max_length is None:
        limit = min(tokenizer.model_max_length, positions)
        return limit if limit < _UNLIMITED else None
    if max_length > positions:
        raise ValueError(f"max_length={max_length}, but {name} has {positions} positions.")
    if max_length <= (special := tokenizer.num_special_tokens_to_add()):
        raise ValueError(
            f"max_length={max_length} leaves no room for text beside the {special} special "
            f"tokens of {name}."
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
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return f"{type(tokenizer).__name__} {sorted(tokenizer.get_vocab().items())}"
    state = json.loads(backend.to_str())
    return json.dumps({**state, "truncation": None, "padding": None}, sort_keys=True)


def config_state(network):
    """Text that names the network's architecture."""
    config = network.config.to_dict()
    architecture = {name: value for name, value in config.items() if name not in _PLACES}
    return json.dumps(architecture, sort_keys=True, default=str)


def text_features(network, ids, pad, n_layers, pool, precision="float32"):
    """Pooled hidden states of the last blocks of a network, side by side.

    Parameters
    ----------
    network : transformers PreTrainedModel
    ids : list of list of int
        Tokens of each text.
    pad : int
        Token that fills up shorter texts; no state of it is used.
    n_layers : int
    pool : {"token", "avg", "avg+std"}
        First token; mean over the tokens of the text; with their standard deviation behind it.
    precision : {"float32", "bfloat16"}
        Of the matrix products.

    Returns
    -------
    features : tensor of shape (n_texts, sum of the blocks' widths), float32
        Deepest block first, for "avg+std" twice as wide. Zeros for a text without tokens.
    """
    import torch

    lengths = torch.tensor([len(tokens) for tokens in ids])
    width = max(1, int(lengths.max()))
    padded = torch.tensor([tokens + [pad] * (width - len(tokens)) for tokens in ids])
    device = device_of(network)
    mask = (torch.arange(width) < lengths[:, None]).to(device)
    blank, n_tokens = ~mask[:, :, None], mask.sum(dim=1, keepdim=True).clamp(min=1)
    with inference(device, precision):
        states = network(
            input_ids=padded.to(device), attention_mask=mask.long(), output_hidden_states=True
        ).hidden_states
        pooled = []
        for state in states[: -n_layers - 1 : -1]:
            state = state.float()
            if pool == "token":
                pooled.append(state[:, 0])
                continue
            mean = state.masked_fill(blank, 0).sum(dim=1) / n_tokens
            pooled.append(mean)
            if pool == "avg+std":
                squares = (state - mean[:, None]).square().masked_fill(blank, 0)
                pooled.append((squares.sum(dim=1) / n_tokens).sqrt())
        return torch.cat(pooled, dim=1)
