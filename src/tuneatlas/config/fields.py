"""What every config model shares: the base class and the one way to declare a key."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)

from tuneatlas.data.objects import STORE, place_of

REQUIRED: Any = ...
S1 = "Ren et al. 2024"
S2 = "Zhang et al. 2024"
S3 = "Liu et al. 2024"

# Names become folders and wildcards; a file's name has room for 64 letters of one beside what
# steps add to it.
NAME_PATTERN = "^[a-z0-9][a-z0-9_-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1)]
# Paths become inputs of jobs, in which the workflow engine takes what is braced for a wildcard.
PATH_PATTERN = "^[^{}]+$"


def _from_here(path: str, info: ValidationInfo) -> str:
    """A path of the config as it is from the folder that the run works in."""
    if path.startswith(STORE):
        path = place_of(path)
    return os.path.normpath(Path(info.context or "", path)) if info.context else path


FilePath = Annotated[str, StringConstraints(pattern=PATH_PATTERN), AfterValidator(_from_here)]
# With ``{step}`` in it, for which numbers stand.
PathOfSteps = Annotated[Text, AfterValidator(_from_here)]
# A commit of the hub: the name of a branch may stand for other weights tomorrow.
COMMIT_PATTERN = "^[0-9a-f]{40}$"
Commit = Annotated[str, StringConstraints(pattern=COMMIT_PATTERN)]
# A repository of the hub, as the hub names them: one level of folders, none of which goes up.
HUB_PATTERN = "^[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*/[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*$"
HubId = Annotated[str, StringConstraints(max_length=96, pattern=HUB_PATTERN)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A mapping of the config: unknown keys and loose types are refused, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def option(
    default: Any, description: str, *, unit: str = "", source: str = "", **constraints: Any
) -> Any:
    """Declare a key: its default (or ``REQUIRED``), meaning, unit, and the paper it cites."""
    extra: dict[str, Any] = {k: v for k, v in (("unit", unit), ("source", source)) if v}
    return Field(default, description=description, json_schema_extra=extra, **constraints)
