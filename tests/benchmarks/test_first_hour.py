"""The table of the first hour is what the script writes, and our code in it runs."""

import ast

import pytest

from benchmarks import first_hour
from benchmarks.first_hour import LIBRARIES, RESULT, cells, n_lines


def test_a_statement_is_a_line_however_it_is_broken():
    assert n_lines("# none") == 0
    assert n_lines("f(\n    1,\n    2,\n)") == 1
    assert n_lines("@f\ndef g(x):\n    return x\n\n\ng(1)  # called") == 4
    assert n_lines("for x in y:\n    f(x)\n    g(x)") == 3


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_has_a_cell_for_each_of_thirty_things_and_some_more(library):
    imports, codes = cells(library)
    assert list(codes) == list(cells("layup_sklearn")[1])
    assert len(codes) == 30 + first_hour.N_MISSING
    assert all(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.parse(imports).body)
    for thing, code in codes.items():
        assert n_lines(code) or code.startswith("# "), thing  # code, or why there is none
        assert ";" not in code and max(map(len, code.splitlines())) <= 100, thing


def test_the_table_is_what_the_script_writes():
    assert RESULT.read_text() == first_hour.report()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_our_code_runs():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    names = first_hour.run()
    assert names["features"].shape == (12, 64 * 6) and names["top"].shape == (4, 3)
    assert names["accepted"].shape == names["scores"].shape == (4,)
    assert names["search"].best_params_["ridge"] in (1, 10, 100)
    assert names["result"].accuracy_matrix.shape == (2, 2)
    assert names["clf"].summary()["class_count"] == {"fox": 12.0, "owl": 12.0, "pet": 10.0}
