import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_top_to_bottom(path, tmp_path):
    pytest.importorskip("matplotlib")
    code = (
        "import layup_sklearn, matplotlib, runpy, sys\n"
        "matplotlib.use('Agg')\n"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=tmp_path, capture_output=True, text=True
    )
    if result.returncode and "needs" in result.stderr.splitlines()[-1]:
        pytest.skip(result.stderr.splitlines()[-1])
    assert result.returncode == 0, result.stderr
    for picture in tmp_path.glob("*.png"):
        assert picture.stat().st_size > 5000
