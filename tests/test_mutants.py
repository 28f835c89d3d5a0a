from pathlib import Path

import layup_sklearn
from mutants import MUTANTS


def test_every_fault_still_has_its_line_and_its_tests():
    package = Path(layup_sklearn.__file__).parent
    for mutant in MUTANTS:
        assert (package / mutant.file).read_text().count(mutant.line) == 1, mutant
        assert mutant.fault != mutant.line
        for path in mutant.tests.split():
            assert (package.parent / path.split("::")[0]).exists(), path
