"""``python -m layup_sklearn``."""

import subprocess
import sys

import pytest

import layup_sklearn

RUN = "import runpy; runpy.run_module('layup_sklearn', run_name='__main__')"
WITHOUT_TORCH = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name=name)
sys.meta_path.insert(0, Missing())
"""


def run(*arguments):
    result = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout


def test_says_what_is_here_and_that_it_works():
    pytest.importorskip("torch")
    code, output = run("-m", "layup_sklearn")
    assert code == 0
    for said in (layup_sklearn.__version__, "scikit-learn 1.", "torch 2.", "cpu (", "hub: "):
        assert said in output
    assert "ready features: yes" in output
    assert "random weights: yes" in output


def test_without_torch_encoders_are_left_out():
    code, output = run("-c", WITHOUT_TORCH + RUN)
    assert code == 0
    assert "'torch' is missing" in output
    assert "ready features: yes" in output and "random weights" not in output


@pytest.mark.parametrize(
    "broken", ["lambda self, X, y: self.fit(X, y)", "lambda self, X, y: 1 / 0"]
)
def test_what_does_not_work_is_the_exit_code(broken):
    code = f"import layup_sklearn\nlayup_sklearn.LayUPClassifier.partial_fit = {broken}\n"
    code, output = run("-c", WITHOUT_TORCH + code + RUN)
    assert code == 1
    assert "ready features: NO" in output
