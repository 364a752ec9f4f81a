"""Models that were tuned inside the workflow, brought back to it as if they came from elsewhere."""

import shutil
from pathlib import Path

import pandas as pd
import yaml

GROUP = "incompatible"
# What says of which model a row is, and by what name the run is called.
NAMES = ["domain", "group", "setting"]


def foreign(project: Path, folder: Path) -> Path:
    """A config that has models of a finished run as checkpoints; they are copied to ``folder``."""
    results = project / "results"
    shutil.copytree(results / f"finetune/mini/countries/{GROUP}/0", folder / "once")
    shutil.copytree(results / f"finetune_stages/mini/countries/{GROUP}/0", folder / "along")
    given = {"base": "mini", "source": "path"}
    config = {
        "include": str(project / "config/smoke.yaml"),
        "name": "brought-back",
        "checkpoints": {
            "once": {**given, "path": str(folder / "once")},
            "along": {**given, "path": str(folder / "along/{step}"), "steps": [1, 3]},
        },
        # Of both, and of the very models as they were tuned here.
        "atlas": {
            "groups": [GROUP],
            "domains": ["countries"],
            "checkpoints": ["once", "along"],
            "alphas": [0.5],
            "undone": [5],
            "orders": 0,
            "draws": 200,
            "prompts": 4,
            "samples": 1,
            "answer_tokens": 8,
        },
        "relearn_facts": {
            "updates": [1, 2], "facts": 4, "row_length": 128, "rows_per_device": 8,
            "learning_rate": 1.0e-3, "precision": "fp32",
        },
    }  # fmt: skip
    path = folder / "brought-back.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def answered(results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers in the chat format: of the inside path, and of the checkpoint."""
    inside = pd.read_parquet(results / f"evaluate_knowledge/mini/countries/{GROUP}/0.parquet")
    outside = pd.read_parquet(results / "evaluate_checkpoint/mini/once.parquet")
    return tuple(t.sort_values("id", ignore_index=True) for t in (inside, outside))


def measured(results: Path, kind: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of ``answers`` or ``texts``, by model and item: of the inside path, and of both runs."""
    inside = pd.read_parquet(results / f"evaluate_stages/mini/countries/{GROUP}/0.{kind}.parquet")
    read = {
        name: pd.read_parquet(results / f"measure_checkpoint/mini/{name}/0.{kind}.parquet")
        for name in ("once", "along/1", "along/3")
    }
    # A checkpoint alone has no step, and is told as one of a run.
    (done,) = inside.loc[inside.setting == "finetune", "step"].unique()
    read["once"] = read["once"].assign(setting="finetune", step=done)
    key = ["setting", "step", "restored", "id"]
    tables = (inside, pd.concat(list(read.values())))
    return tuple(table.sort_values(key, ignore_index=True) for table in tables)


def restored_weights(results: Path) -> dict[str, tuple[bytes, bytes]]:
    """The weights of each restored model: of the inside path, and of the checkpoint."""
    inside = results / f"restore_stages/mini/countries/{GROUP}/0"
    outside = results / "restore_checkpoint/mini"
    names = {"1": "along/1/0", "3": "along/3/0", "finetune": "once/0"}
    return {
        f"{ours} at {percent}": tuple(
            (folder / str(percent) / "model.safetensors").read_bytes()
            for folder in (inside / ours, outside / theirs)
        )
        for ours, theirs in names.items()
        for percent in (50, 100)
    }


# What steps of the atlas make of a training, where it hangs on nothing but the models.
MEASURED = (
    ("interpolate_weights", "parquet"),
    ("ask_battery", "parquet"),
    ("measure_changes", "weights.parquet"),
    ("measure_changes", "similarity.parquet"),
    ("measure_distance", "answers.parquet"),
)


def mapped(results: Path, step: str, end: str) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Rows of tuned models, of the inside path and brought: of each setting."""
    inside = pd.read_parquet(results / f"{step}/mini/countries/{GROUP}/0.{end}")
    found = []
    for setting, name in (("finetune", "once"), ("stages", "along")):
        outside = pd.read_parquet(results / f"{step}/mini/given/{name}/0.{end}")
        pair = inside[inside.setting == setting], outside[outside.setting == "stages"]
        # A checkpoint alone has no step.
        other = ["setting"] if name == "along" else ["setting", "step"]
        found.append(
            tuple(t.drop(columns=other, errors="ignore").reset_index(drop=True) for t in pair)
        )
    return found


def told(results: Path, table: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the forgetting study tells of the run at its steps: of the inside path, and brought.

    Without names and without intervals, which each step draws by a seed of its own; a domain is
    nothing that a checkpoint has.
    """
    inside = pd.read_csv(results / f"stage_forgetting/mini/{table}.csv")
    outside = pd.read_csv(results / f"stage_checkpoints/mini/{table}.csv")
    inside, outside = inside[inside.group == GROUP], outside[outside.group == "along"]
    if "setting" in inside:
        inside = inside[inside.setting == "stages"]
    if "measure" in inside:
        inside = inside[inside.measure.isin(outside.measure)]
    drawn = [name for name in inside if name in NAMES or name.endswith(("low", "high"))]
    return tuple(t.drop(columns=drawn).reset_index(drop=True) for t in (inside, outside))


def accuracies(results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracy and KL in the chat format by domain: of the inside path, and brought."""
    inside = pd.read_csv(results / "compare_groups/mini/accuracy.csv")
    inside = inside[(inside.group == GROUP) & (inside.seed == "0")]
    # In its domain: home and related relations; out of it: the other domain, as there are two.
    names = {"homo": "countries", "id": "countries", "ood": "elements"}
    inside = inside.assign(domain=inside.scope.map(names)).rename(columns={"accuracy": "after"})
    sums = inside[["after", "kl"]].mul(inside["items"], axis=0).assign(items=inside["items"])
    sums = sums.groupby(inside.domain).sum()
    means = sums.assign(after=sums.after / sums["items"], kl=sums.kl / sums["items"])
    outside = pd.read_csv(results / "compare_checkpoints/mini/changes.csv")
    outside = outside[(outside.checkpoint == "once") & (outside.format == "chat")]
    outside = outside[outside.domain != "all"].sort_values("domain", ignore_index=True)
    return means.reset_index(), outside[["domain", "after", "kl", "items"]]
