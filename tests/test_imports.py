import ast
import subprocess
import sys
from pathlib import Path

import pytest

import layup_sklearn

PACKAGE = Path(layup_sklearn.__file__).parent
CORE = {
    "_sample_error": set(),
    "_samples": set(),
    "_validation": set(),
    "_labels": set(),
    "_symmetric": set(),
    "_sums": set(),
    "_once": set(),
    "_files": set(),
    "_typing": set(),
    "_layers": {"_samples", "_typing", "_validation", "encoders"},
    "_values": {"_files", "_layers", "encoders"},
    "_statistics": {"_labels", "_once", "_sums", "_symmetric"},
    "_ridge": {"_once", "_statistics", "_symmetric"},
    "_carried": {"_once", "_ridge"},
    "_choice": {"_ridge", "_statistics"},
    "_readout": set(),
    "_temperature": set(),
    "_gaussian": {"_readout", "_ridge", "_temperature"},
    "_rules": {"_gaussian", "_readout", "_symmetric"},
    "_folds": {"_choice", "_readout", "_ridge", "_rules", "_statistics"},
    "_forgetting": {"_labels", "_statistics", "_symmetric"},
    "_rows": {"_sample_error", "_samples", "_symmetric", "_validation"},
    "_model": {
        "_carried",
        "_choice",
        "_layers",
        "_once",
        "_ridge",
        "_rows",
        "_statistics",
        "_sums",
        "_symmetric",
    },
    "_solution": {
        "_carried",
        "_choice",
        "_layers",
        "_model",
        "_readout",
        "_ridge",
        "_rules",
        "_temperature",
    },
    "_answers": {"_model", "_readout", "_solution"},
    "_renaming": {"_labels", "_statistics", "_symmetric"},
    "_summary": {"_layers", "_model", "_solution"},
    "_learning": {"_folds", "_model", "_rows", "_solution", "_validation"},
    "_persistence": {"_files", "_layers", "_statistics", "_symmetric", "_values", "encoders"},
}
ALLOWED = {
    **CORE,
    "_classifier": {*CORE, "encoders"}
    - {
        "_sums",
        "_values",
        "_carried",
        "_gaussian",
        "_ridge",
        "_rules",
        "_symmetric",
        "_temperature",
    },
    "_parallel": {"_classifier", "_solution", "_sample_error", "_typing"},
    "_displays": {"_layers", "_typing", "encoders"},
    "_tasks": {"_labels", "_typing"},
    "_protocols": {"_labels", "_tasks", "_typing"},
    "_measures": {"_labels", "_typing"},
    "evaluation": {
        "_displays",
        "_measures",
        "_protocols",
        "_samples",
        "_tasks",
        "_typing",
        "_validation",
        "encoders",
    },
    "encoders": {"_once", "_sample_error", "_samples", "_typing", "_validation"},
    "_contributions": {"_classifier", "_typing", "encoders"},
    "explanation": {"_classifier", "_contributions", "_displays"},
    "datasets": {"_labels", "_typing", "_validation", "encoders"},
    "__main__": {"_classifier", "encoders"},
}
FRAMEWORKS = {"timm", "torch", "torchvision", "transformers"}


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_ready_features_never_import_torch():
    code = (
        "import sys, layup_sklearn\n"
        "from layup_sklearn import LayUPClassifier\n"
        "LayUPClassifier(cv=2).fit([[0.0, 1], [1, 0], [0, 2], [2, 0]], [0, 1, 0, 1]).predict([[1, 1]])\n"
        "assert not {'torch', 'timm', 'torchvision'} & set(sys.modules), 'imported'\n"
    )
    result = run(code)
    assert result.returncode == 0, result.stderr


def test_missing_torch_is_one_clear_error():
    for missing in ("torch", "timm"):
        code = (
            "import sys\n"
            "class Missing:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {missing!r}:\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, Missing())\n"
            "from layup_sklearn import LayUPClassifier\n"
            "LayUPClassifier('test_vit').fit(['a.png'], [0])\n"
        )
        last = run(code).stderr.strip().splitlines()[-1]
        assert last.startswith("ImportError: Encoders need torch and timm") and missing in last


def imports_of(path):
    """Every imported module, relative ones as they are named; nested imports, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (
                "." * node.level + (module or alias.name)
                for alias in node.names[: 1 if module else None]
            )
            if not node.level:
                yield from (f"{module}.{alias.name}" for alias in node.names)


def files():
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "__init__.py":
            yield path, path.parent.name if path.parent != PACKAGE else path.stem


def test_every_room_is_on_the_plan():
    assert {room for _, room in files()} == set(ALLOWED)


@pytest.mark.parametrize("path, room", [pytest.param(*f, id=f[0].name) for f in files()])
def test_imports_run_one_way(path, room):
    dots = "." * len(path.relative_to(PACKAGE).parts)
    names = set(imports_of(path))
    relative = {
        n.removeprefix(dots).split(".")[0]
        for n in names
        if n.startswith(dots) and n[len(dots)] != "."
    }
    assert relative <= ALLOWED[room], room
    frameworks = {name.split(".")[0] for name in names} & FRAMEWORKS
    assert room == "encoders" or not frameworks
    private = {n for n in names if n.startswith("sklearn") and "._" in n}
    assert room == "_validation" or not private


def test_public_names():
    for name in layup_sklearn.__all__:
        assert getattr(layup_sklearn, name) is not None
        assert name in dir(layup_sklearn)
