"""Made-up results of all studies, for what the audit page is built from."""

import pytest

from tests.unit.audit.synthetic import COUNT, make_synthetic
from tuneatlas.audit.lineage import Results


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Made once; what changes results takes a copy."""
    return make_synthetic(tmp_path_factory.mktemp("synthetic") / "results", COUNT)
