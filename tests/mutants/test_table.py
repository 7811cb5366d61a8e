import ast
from pathlib import Path

import pytest
from tests.mutants.table import MUTANTS

import unrolled

SOURCE = Path(unrolled.__file__).parent


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_mutant_is_one_wrong_piece_of_code_as_it_stands(mutant):
    source = (SOURCE / mutant.file).read_text()
    assert source.count(mutant.before) == 1
    assert mutant.after != mutant.before
    ast.parse(source.replace(mutant.before, mutant.after))


def test_the_tests_that_should_see_them_are_there():
    for mutant in MUTANTS:
        for path in mutant.tests.split():
            assert (Path(__file__).parents[1] / path).exists(), path
