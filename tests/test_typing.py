import inspect

import pytest

import layup_sklearn
from layup_sklearn import datasets, evaluation, explanation


def public_functions():
    """Functions, methods and properties that users call, those of base classes, too."""
    for module in (layup_sklearn, datasets, evaluation, explanation):
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield found
            for base in inspect.getmro(found) if inspect.isclass(found) else ():
                if base.__module__.startswith("layup_sklearn"):
                    yield from public_methods(base)


def public_methods(base):
    for name, attribute in vars(base).items():
        for part in ("fget", "compute", "__func__"):  # of properties, class and static methods
            attribute = getattr(attribute, part, attribute)
        if inspect.isfunction(attribute) and (name == "__init__" or not name.startswith("_")):
            yield attribute


FUNCTIONS = sorted(set(public_functions()), key=lambda function: function.__qualname__)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_signature_is_annotated(function):
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    assert [p.name for p in parameters if p.annotation is p.empty] == []
    assert function.__name__ == "__init__" or signature.return_annotation is not signature.empty
