"""The measurement of the engine runs as long as a finished run is taken for one."""

from pathlib import Path

from bench.driver import measure


def test_a_finished_run_of_empty_files_has_nothing_to_do(tmp_path: Path):
    found = measure(tmp_path / "run", 10)
    assert found["jobs"] > 3
    assert all(found[name] > 0 for name in ("plan_cpu_s", "part_cpu_s", "no_op_cpu_s"))
