import ast
import subprocess
import sys
from pathlib import Path

import layup_sklearn

PACKAGE = Path(layup_sklearn.__file__).parent
ALLOWED = {
    "_statistics": set(),
    "_ridge": {"_statistics"},
    "_persistence": {"_statistics"},
    "_probabilities": set(),
    "_classifier": {"_statistics", "_ridge", "_persistence", "_probabilities"},
    "_parallel": {"_classifier", "_persistence"},
    "_displays": set(),
    "evaluation": {"_displays"},
}


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


def test_imports_run_one_way():
    for module, allowed in ALLOWED.items():
        tree = ast.parse((PACKAGE / f"{module}.py").read_text())
        relative = {n.module for n in tree.body if isinstance(n, ast.ImportFrom) and n.level}
        assert relative <= allowed, module
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert not {"torch", "timm"} & names, module


def test_public_names():
    for name in layup_sklearn.__all__:
        assert getattr(layup_sklearn, name) is not None
        assert name in dir(layup_sklearn)
