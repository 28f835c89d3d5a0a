"""What a release would hold."""

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder of an sdist, and of the wheel that is built from it."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)
    return folder


@pytest.mark.slow
def test_the_source_distribution_holds_what_both_commands_need(built):
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "constraints-cpu.txt"}
    needed |= {"tests/conftest.py", "examples/quickstart.py", "benchmarks/__main__.py", ".ci/run"}
    folders = "layup_sklearn", "tests", "examples", "benchmarks"
    for folder in folders:
        needed |= {str(file.relative_to(ROOT)) for file in (ROOT / folder).rglob("*.py")}
    needed |= {str(file.relative_to(ROOT)) for file in (ROOT / "tests/data").iterdir()}
    assert not needed - names


@pytest.mark.slow
def test_the_wheel_holds_the_package_alone(built):
    [path] = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith("dist-info/METADATA")]
        head = Parser().parsestr(archive.read(metadata).decode())
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"layup_sklearn"}
    assert "layup_sklearn/py.typed" in names
    assert head["License-Expression"] == "BSD-3-Clause" and head["License-File"] == "LICENSE"
    check = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())]
    subprocess.run(check, check=True)


@pytest.mark.slow
def test_the_wheel_works_away_from_its_source(built, tmp_path):
    [wheel] = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", tmp_path / "site"]
    subprocess.run([*install, wheel], check=True)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import layup_sklearn\n"
        f"assert layup_sklearn.__file__.startswith({str(tmp_path)!r})\n"
        "classifier = layup_sklearn.LayUPClassifier().fit([[0.0, 1.0], [1.0, 0.0]], ['a', 'b'])\n"
        "assert list(classifier.predict([[0.0, 2.0]])) == ['a']\n"
        "assert all(hasattr(layup_sklearn, name) for name in layup_sklearn.__all__)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path)
    alone = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(tmp_path / "site")}}
    output = subprocess.check_output([sys.executable, "-m", "layup_sklearn"], text=True, **alone)
    assert str(tmp_path) in output
