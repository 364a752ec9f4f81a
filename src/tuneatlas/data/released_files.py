"""Where the released data of Ren et al. 2024 lie. Imported when a workflow is planned: light."""

from collections.abc import Collection, Sequence
from pathlib import Path

# Where the questions of a domain lie in a folder of another name.
FOLDERS = {"medicine": "medmcqa"}
# The file of each of a model's groups.
GROUP_FILES = {
    "harmonious": "consistent-correct-exp-sample.jsonl",
    "incompatible": "inconsistent-golden-exp.jsonl",
    "self_aligning": "inconsistent-predict-model-exp.jsonl",
}
# The models whose groups they released.
MODELS = ("llama-2-7b", "llama-2-13b", "llama-2-70b", "mistral-7b")
# The files of the raw Xiezhi benchmark, in the order in which one generator shuffles them, with the
# rows that each had.
RAW = {"engineering": 5089, "history": 8958, "science": 3872, "jurisprudence": 6921}


def source_folder(folder: Path, domain: str) -> Path:
    """The folder of a domain's question files."""
    return folder / "source" / FOLDERS.get(domain, domain)


def is_raw(folder: Path) -> bool:
    """Whether a folder holds the raw benchmark."""
    return not (folder / "source").is_dir() and any(raw_file(folder, n).is_file() for n in RAW)


def raw_file(folder: Path, name: str) -> Path:
    """The file of a domain in the raw benchmark."""
    return folder / f"{name.capitalize()}.jsonl"


def question_files(folder: Path, domain: str, groups: Sequence[str]) -> list[Path]:
    """The files that the questions of a domain are read from, whether or not they are there.

    Where there is no file of training questions, those of ``groups`` (names of models) are.
    """
    if is_raw(folder):
        return [raw_file(folder, name) for name in RAW]
    inside = source_folder(folder, domain)
    train = inside / "train.jsonl"
    instead = [p for name in groups for p in group_files(folder, name, domain).values()]
    return [inside / "dev.jsonl", inside / "test.jsonl", *([train] if train.exists() else instead)]


def group_files(folder: Path, model: str, domain: str) -> dict[str, Path]:
    """The files of a model's groups in a domain, by group."""
    inside = folder / "group" / model / domain
    return {group: inside / name for group, name in GROUP_FILES.items()}


def other_model(name: str, known: Collection[str]) -> str | None:
    """The released model that ``known`` names of a model say it is, if that is not ``name``."""

    def plain(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    said = [model for model in MODELS if any(plain(model) in plain(text) for text in known)]
    return said[0] if said and name not in said else None
