"""Which models are asked the tasks of lm-evaluation-harness, and what each is compared with."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuneatlas.config.checkpoints import checkpoints, followed

BASE = "base"
# In the folder of a restored model, that of the whole budget.
WHOLE = "100"


def harness_models(
    config: Mapping[str, Any], model: str, tuned: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The models of a base that are asked, by the names of their results.

    No two names are one: a domain, group and seed are three parts, of which the last is a number.

    Args:
        config: the resolved experiment.
        model: the base model.
        tuned: those tuned from it here, as ``DOMAIN/GROUP/SEED``.

    Returns:
        Of each the ``kind``, the ``wildcards`` and, ``inside`` it, the folder of the model, whether
        its prompts begin with the begin token (``bos``), and ``after``: what it was made from.
    """
    begins = bool(config["models"][model]["bos"])
    chat = config["evaluate_harness"]["chat"]

    def entry(kind: str, after: Sequence[str], bos: bool = begins, **wildcards: Any) -> Any:
        inside = WHOLE if kind.startswith("restored") else ""
        return {
            **{"kind": kind, "wildcards": wildcards, "inside": inside},
            **{"bos": bos, "after": list(after)},
        }

    found = {BASE: entry("base", ())}
    for name in tuned:
        domain, group, seed = name.split("/")
        found[name] = entry("tuned", [BASE], domain=domain, group=group, seed=seed)
    restored = {one["checkpoint"] for one in followed(config, model)}
    for seed in config["seeds"] if restored else ():
        found[f"restored/{seed}"] = entry("restored base", [BASE], seed=seed)
    for name, given in checkpoints(config, model).items():
        own = begins if given["bos"] is None or not chat else given["bos"]
        as_given = f"checkpoints/{name}/given"
        found[as_given] = entry("given", [BASE], own, checkpoint=name)
        for seed in config["seeds"] if name in restored else ():
            found[f"checkpoints/{name}/restored/{seed}"] = entry(
                "restored", [BASE, as_given], own, checkpoint=name, seed=seed
            )
    return found


def compared_by_harness(models: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the comparison is told of each model: name, kind, and what it was made from."""
    return [
        {"model": name, "kind": entry["kind"], "after": entry["after"]}
        for name, entry in models.items()
    ]
