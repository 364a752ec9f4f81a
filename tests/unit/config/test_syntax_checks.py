"""What of the syntax study cannot work is said before the first job, by its key."""

from pathlib import Path

import pytest
import yaml

from tests.examples import ROOT
from tuneatlas.config.load import load_config
from tuneatlas.errors import UserError

BASE = {"include": str(ROOT / "config/syntax-smoke.yaml")}


def loaded(folder: Path, changes: dict):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(BASE | changes), encoding="utf-8")
    return load_config(path, root=ROOT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"finetune_paraphrase": {"formats": ["aesop_nooutputtre"]}},
            r"finetune_paraphrase\.formats.*there is no 'aesop_nooutputtre'; did you mean",
        ),
        (
            {"finetune_paraphrase": {"starts": ["vanilla", "no_auxilary"]}},
            r"finetune_paraphrase\.starts.*there is no 'no_auxilary'; did you mean 'no_auxiliary'",
        ),
        (
            {"pretrain_syntax": {"masks": {"mine": ["tree_prunning"]}}},
            r"masks\.mine.*there is no 'tree_prunning'; did you mean 'tree_pruning'",
        ),
        (
            {"pretrain_syntax": {"masks": {"both": ["tree_pruning"]}}},
            "'both' is the name of another start",
        ),
        (
            {"build_tasks": {"syntax_tasks": ["pos_taging"]}},
            r"build_tasks\.syntax_tasks.*there is no 'pos_taging'",
        ),
        (
            {"prepare_sentences": {"pairs": {"dev": 0}}, "finetune_paraphrase": {"epochs": 2}},
            "no pairs of dev to choose an epoch by",
        ),
        (
            {"prepare_sentences": {"pairs": {"test": 5}}, "generate_paraphrases": {"shards": 6}},
            r"generate_paraphrases\.shards.*6 jobs cannot share 5 test pairs: lower it",
        ),
    ],
)
def test_it_is_said_by_its_key(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        loaded(tmp_path, changes)


def test_a_start_may_be_a_mask_of_ones_own(tmp_path):
    changes = {
        "pretrain_syntax": {"masks": {"no_tags": ["pos_tagging"]}},
        "finetune_paraphrase": {"starts": ["vanilla", "both", "no_tags"]},
    }
    experiment = loaded(tmp_path, changes)
    assert experiment.pretrain_syntax.masks["no_tags"] == ("pos_tagging",)
