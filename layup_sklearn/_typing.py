"""Types that several public signatures share."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit

StrPath: TypeAlias = str | PathLike[str]
Samples: TypeAlias = ArrayLike | Sequence[object]  # features, or what an encoder takes
Folds: TypeAlias = BaseCrossValidator | BaseShuffleSplit | Iterable[tuple[ArrayLike, ArrayLike]]
RandomState: TypeAlias = int | np.random.RandomState | None
Rows: TypeAlias = NDArray[np.intp]
Tasks: TypeAlias = list[tuple[Rows, Rows]]
Batches: TypeAlias = list[tuple[list[Rows], Rows]]

if TYPE_CHECKING:
    # scikit-learn makes set_output at run time, and its fit_transform knows no types.
    class Transformer(TransformerMixin):
        layer_sizes_: list[int]

        def fit_transform(
            self, X: Samples, y: ArrayLike | None = None, **fit_params: object
        ) -> NDArray[Any]: ...

        def set_output(
            self, *, transform: Literal["default", "pandas", "polars"] | None = None
        ) -> Self: ...
else:
    Transformer = TransformerMixin
