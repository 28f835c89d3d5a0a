"""Whatever a user calls texts."""

from hashlib import blake2b

from .._sample_error import SampleError
from .._samples import as_items
from .._typing import Samples


def as_text_list(X: Samples) -> list[str]:
    """Split a user's collection into texts.

    Parameters
    ----------
    X : sequence, ndarray, pandas Series or one-column DataFrame

    Returns
    -------
    texts : list of str

    Raises
    ------
    ValueError
        When X is not a collection of texts, or is empty; names the first that is not a text.
    """
    shape = getattr(X, "shape", (0,))
    if not hasattr(X, "iloc") and (len(shape) > 2 or (len(shape) == 2 and shape[1] != 1)):
        raise ValueError(f"X of shape {shape} is not a collection of texts: give one axis.")
    texts = as_items(X, "texts")
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise SampleError(
                position, f"is {text!r} of type {type(text).__name__}; texts are of type str."
            )
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise SampleError(position, f"is not valid Unicode: {error}.") from error
    return texts


def text_key(space, text, position):
    """Key of a text: the network it goes through, and its content.

    Parameters
    ----------
    space : str
        Names the network, the tokens and the pooling.
    text : str
    position : int
        Where in X it stands.

    Returns
    -------
    key : bytes
    """
    return blake2b(space.encode() + b"\0" + text.encode(), digest_size=16).digest()


def text_stamp(text):
    """A text is what it is."""
    return None
