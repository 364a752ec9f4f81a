"""The package's own names are loaded when they are asked for, and a step reaches none of them."""

import subprocess
import sys

import pytest

import tuneatlas
from tests.examples import ROOT
from tuneatlas import api
from tuneatlas.engine.digest import code_of


def test_importing_the_package_loads_no_library():
    code = "import sys, tuneatlas; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "torch", "transformers", "pyarrow"} & set(done.stdout.split())


def test_its_names_are_those_of_the_python_face():
    assert tuneatlas.__all__ == api.__all__ == sorted(api.__all__)
    for name in tuneatlas.__all__:
        assert getattr(tuneatlas, name) is getattr(api, name)
        assert getattr(api, name).__doc__, name
    with pytest.raises(AttributeError, match="'tuneatlas' has no attribute 'prob'"):
        _ = tuneatlas.prob


@pytest.mark.parametrize("script", sorted((ROOT / "workflow/scripts").glob("*.py")))
def test_no_step_reaches_it(script):
    assert not [name for name in code_of(script).modules if name.startswith("tuneatlas.api")]
