"""Networks of Hugging Face transformers: loading, tokens, hidden states."""

import os
from contextlib import suppress
from functools import lru_cache
from importlib import import_module

from .._once import once
from ._digests import files_of
from ._loaded import LoadedNetwork
from ._pooling import pooled
from ._tokens import pad_token, token_ids, tokenizer_state
from ._torch import device_of, first_line, import_past_torchvision, inference, random_numbers


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
            "them (pip install torch transformers)."
        ) from error
    with suppress(ModuleNotFoundError):  # texts can do without
        import_past_torchvision("torchvision")
    return transformers


def load_text_network(model, device):
    """Frozen network with its tokenizer, shared by all that ask for the same one.

    Parameters
    ----------
    model : str or path
        Name on the hub, or local folder.
    device : str

    Returns
    -------
    network : TextNetwork
        Without gradients, float32; of an encoder-decoder, the encoder.

    Raises
    ------
    OSError
        For files that cannot be had.
    ValueError
        For files that are not a tokenizer and network for text.
    """
    model, files = os.fspath(model), None
    if os.path.isdir(model):
        model = os.path.abspath(model)
        files = files_of(model)
    elif os.path.isabs(model) or model.startswith((".", "~")):
        raise FileNotFoundError(f"model={model!r} is not a folder.")
    return _load_text_network(model, files, device)


@lru_cache(maxsize=4)
def _load_text_network(model, files, device):
    transformers = import_transformers()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(model, trust_remote_code=False)
        with random_numbers(0):  # a pooler that is not in the file
            module, loaded = transformers.AutoModel.from_pretrained(
                model, output_loading_info=True, trust_remote_code=False
            )
    except Exception as error:  # of many kinds
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(
            f"{model!r} could not be loaded ({first_line(error)}); give a folder with a tokenizer "
            "and weights of transformers, or a name on the hub."
        ) from error
    if missing := sorted(name for name in loaded["missing_keys"] if "pooler" not in name):
        raise ValueError(
            f"{model!r} lacks {len(missing)} weights of a {type(module).__name__}, for instance "
            f"{missing[0]!r}."
        )
    if module.config.is_encoder_decoder:
        module = module.get_encoder()
    module.config.use_cache = False
    module = module.eval().requires_grad_(False).float().to(device)
    return TextNetwork(module, tokenizer, model)


class TextNetwork(LoadedNetwork):
    """A frozen network of transformers with its tokenizer.

    Parameters
    ----------
    module : transformers PreTrainedModel
    tokenizer : transformers tokenizer
    name : str
        Of the model, for errors.

    Attributes
    ----------
    layer_sizes : list of int
        Widths of all blocks, first block first.
    sees_padding : bool
        Whether the states of a text change with the padding after it, which the mask should
        prevent: some networks mix tokens by other means than attention (FNet).
    pad : int
        Token that fills up shorter texts.
    """

    def __init__(self, module, tokenizer, name):
        super().__init__(module)
        self.tokenizer, self.name = tokenizer, name
        self.pad = pad_token(tokenizer)

    @once
    def layer_sizes(self):
        return [state.shape[-1] for state in self._states_alone]

    @once
    def tokenizer_state(self):
        """See :func:`tokenizer_state`; once, for it names every word of the vocabulary."""
        return tokenizer_state(self.tokenizer)

    @once
    def sees_padding(self):
        padded = self._probe([self._short, self._short * 3])
        pairs = zip(self._states_alone, padded)
        return any((a[0] - b[0, : a.shape[1]]).norm() > 1e-3 * a[0].norm() for a, b in pairs)

    @once
    def _states_alone(self):
        return self._probe([self._short])

    @once
    def _short(self):
        [ids] = token_ids(self.tokenizer, ["a short text"], None)
        return ids[:4] or [0]

    def _probe(self, ids):
        """Hidden states of all blocks, as they line up with the tokens."""
        try:
            states, mask = hidden_states(self.module, ids, self.pad, "float32")
            states = [state.float() for state in states[1:]]
            if not states or any(state.shape[:2] != mask.shape for state in states):
                raise ValueError("its hidden states are not one for each token")
        except Exception as error:  # of many kinds
            raise ValueError(
                f"{self.name!r} does not give the hidden states of its blocks for texts of any "
                f"length: {first_line(error)}."
            ) from error
        return states


def hidden_states(module, ids, pad, precision):
    """Hidden states of a batch, embeddings first.

    Parameters
    ----------
    module : transformers PreTrainedModel
    ids : list of list of int
        Tokens of each text.
    pad : int
        Token that fills up shorter texts.
    precision : {"auto", "float32", "tf32", "bfloat16"}
        Of the matrix products.

    Returns
    -------
    states : sequence of tensor of shape (n_texts, n_tokens, width)
    mask : tensor of shape (n_texts, n_tokens)
        Where there are tokens of a text.
    """
    import torch

    lengths = torch.tensor([len(tokens) for tokens in ids])
    width = max(1, int(lengths.max()))
    padded = torch.tensor([tokens + [pad] * (width - len(tokens)) for tokens in ids])
    device = device_of(module)
    mask = (torch.arange(width) < lengths[:, None]).to(device)
    with inference(device, precision):
        output = module(
            input_ids=padded.to(device), attention_mask=mask.long(), output_hidden_states=True
        )
    return output.hidden_states, mask


def text_features(module, ids, pad, layers, pool, precision="float32"):
    """Pooled hidden states of blocks of a network, side by side.

    Parameters
    ----------
    module : transformers PreTrainedModel
    ids : list of list of int
        Tokens of each text.
    pad : int
        Token that fills up shorter texts; no state of it is used.
    layers : list of int
        Numbers of the blocks, from 1 on, in the order of the columns.
    pool : str
        Of `POOLINGS`; the class token is the first, positions are the tokens of the text.
    precision : {"auto", "float32", "tf32", "bfloat16"}
        Of the matrix products.

    Returns
    -------
    features : tensor of shape (n_texts, sum of the blocks' widths), float32
        For "avg+std" twice as wide. Zeros for a text without tokens.
    """
    import torch

    states, mask = hidden_states(module, ids, pad, precision)
    return torch.cat([pooled(states[layer], pool, mask) for layer in layers], dim=1)
