import inspect

import pytest

import layup_sklearn
from layup_sklearn import datasets, evaluation, explanation

validate = pytest.importorskip("numpydoc.validate").validate

# Not asked for: an extended summary, a name for the only returned value, and, of methods, an
# example and a See Also section of their own.
IGNORED = {"ES01", "RT02", "SS05"}  # SS05 takes "Statistics" for a verb
IGNORED_OF_METHODS = {"EX01", "SA01"}


def public_objects():
    for module in (layup_sklearn, datasets, evaluation, explanation):
        for name in module.__all__:
            found = getattr(module, name)
            if not callable(found):
                continue
            path = f"{module.__name__}.{name}"
            yield path
            if inspect.isclass(found):
                for method, function in vars(found).items():
                    plain = isinstance(function, classmethod) or inspect.isfunction(function)
                    if plain and not method.startswith("_"):
                        yield f"{path}.{method}"


@pytest.mark.parametrize("path", list(public_objects()))
def test_docstring_is_numpydoc(path):
    is_method = path.count(".") > 1 + path.startswith(("layup_sklearn.d", "layup_sklearn.e"))
    ignored = IGNORED | (IGNORED_OF_METHODS if is_method else set())
    errors = [f"{code}: {text}" for code, text in validate(path)["errors"] if code not in ignored]
    assert not errors, "\n".join(errors)
