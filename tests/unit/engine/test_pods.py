"""What pods would fail on is said before the first one."""

from pathlib import Path

import pytest

from tuneatlas.engine.cluster import Request
from tuneatlas.engine.pods import check_pods
from tuneatlas.errors import UserError

GPU = {"gpu": 2, "nodes": 1, "gpu_manufacturer": "nvidia", "scale": 0}


def test_pods_see_the_project_and_get_what_they_ask_for(tmp_path: Path):
    light = Request("label_knowledge", {"mem_mb": 2000})
    check_pods([light, Request("finetune", GPU)], tmp_path / "project", [tmp_path])
    # Where no job is on a GPU, nothing need be said of them.
    check_pods([light], tmp_path, [Path("/elsewhere"), tmp_path])


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"nodes": 2}, "finetune: a pod is on one node"),
        ({"gpu": 0, "gres": "gpu:8", "nodes": 2}, "finetune: a pod is on one node"),
        ({"scale": 1}, "say scale: 0"),
        ({"gpu_manufacturer": None}, "say gpu_manufacturer"),
    ],
)
def test_what_no_pod_can_be_is_refused(tmp_path: Path, resources, said):
    with pytest.raises(UserError, match=said) as caught:
        check_pods([Request("finetune", GPU | resources)], tmp_path, [tmp_path])
    assert len(str(caught.value).splitlines()) == 2


def test_a_project_beside_the_volume_is_refused(tmp_path: Path):
    for mounted in ([], [tmp_path / "volume"]):
        with pytest.raises(UserError, match=f"no volume is mounted over {tmp_path}"):
            check_pods([], tmp_path, mounted)
