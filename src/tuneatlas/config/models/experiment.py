"""The whole config of one experiment; sections are named after the steps they steer."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from tuneatlas.config.fields import Name, Section, option
from tuneatlas.config.models.atlas import Atlas, RelearnFacts
from tuneatlas.config.models.checkpoints import CheckpointConfig
from tuneatlas.config.models.data import DomainConfig, FetchSource, PrepareCorpus
from tuneatlas.config.models.forgetting import (
    EvaluateStages,
    FinetuneStages,
    PrepareRestoration,
    RestoreStages,
    StageForgetting,
)
from tuneatlas.config.models.knowledge import (
    CompareGroups,
    EvaluateHarness,
    EvaluateKnowledge,
    ExplainPredictions,
    Finetune,
    LabelKnowledge,
    MixInstructions,
    ProbeKnowledge,
    Report,
)
from tuneatlas.config.models.language_models import ModelConfig
from tuneatlas.config.models.paraphrase import (
    BuildTasks,
    CompareParaphrases,
    EvaluateTasks,
    FinetuneParaphrase,
    GenerateParaphrases,
    PretrainSyntax,
    PretrainTasks,
    ScoreParaphrases,
    SystemOutputs,
)
from tuneatlas.config.models.paraphrase_pairs import (
    ParseSentences,
    PrepareParaphrases,
    PrepareSentences,
)
from tuneatlas.config.models.paraphrasers import ParaphraserConfig
from tuneatlas.config.models.training import Storage
from tuneatlas.config.models.treatments import Treatment
from tuneatlas.config.replicates import members
from tuneatlas.config.source import Node
from tuneatlas.data.groups import CONTEXTUALISED, RANDOM_WRONG
from tuneatlas.engine.operations import restored

PURE_GROUPS = ("harmonious", "incompatible", "self_aligning")


def section(kind: type[Section]) -> Any:
    """A section that may be left out: every key of it has a default."""
    return Field(default_factory=kind, description=(kind.__doc__ or "").rstrip("."))


class Experiment(Section):
    """One experiment: models x domains x groups x seeds, and the options of each step."""

    name: Name = option("experiment", "short name of the experiment")
    description: str = option("", "what it is for, shown in the report")
    seed: Annotated[int, Field(ge=0)] = option(
        42, "origin of every random choice but the tuning seeds"
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = option(
        (0, 1, 2), "one tuning run per seed", min_length=1
    )
    models: dict[Name, ModelConfig] = option(
        {}, "base models, by name; none: the studies of knowledge and forgetting are left out"
    )
    domains: dict[Name, DomainConfig] = option({}, "domains of knowledge, by name")
    checkpoints: dict[Name, CheckpointConfig] = option(
        {}, "models tuned elsewhere, by name, that are compared with their base; see checkpoints.md"
    )
    storage: Storage = section(Storage)
    fetch_source: FetchSource = section(FetchSource)
    prepare_corpus: PrepareCorpus = section(PrepareCorpus)
    probe_knowledge: ProbeKnowledge = section(ProbeKnowledge)
    label_knowledge: LabelKnowledge = section(LabelKnowledge)
    explain_predictions: ExplainPredictions = section(ExplainPredictions)
    mix_instructions: MixInstructions = section(MixInstructions)
    finetune: Finetune = section(Finetune)
    evaluate_knowledge: EvaluateKnowledge = section(EvaluateKnowledge)
    evaluate_harness: EvaluateHarness = section(EvaluateHarness)
    compare_groups: CompareGroups = section(CompareGroups)
    finetune_stages: FinetuneStages = section(FinetuneStages)
    prepare_restoration: PrepareRestoration = section(PrepareRestoration)
    restore_stages: RestoreStages = section(RestoreStages)
    evaluate_stages: EvaluateStages = section(EvaluateStages)
    stage_forgetting: StageForgetting = section(StageForgetting)
    treatments: dict[Name, Treatment] = option(
        {},
        "other ways to tune on what a group is tuned on, by name; atlas.groups names those that "
        "are measured (docs/atlas.md)",
    )
    atlas: Atlas = section(Atlas)
    relearn_facts: RelearnFacts = section(RelearnFacts)
    paraphrasers: dict[Name, ParaphraserConfig] = option(
        {}, "encoder-decoders of the syntax study, by name; none: the study is left out"
    )
    prepare_sentences: PrepareSentences = section(PrepareSentences)
    parse_sentences: ParseSentences = section(ParseSentences)
    prepare_paraphrases: PrepareParaphrases = section(PrepareParaphrases)
    build_tasks: BuildTasks = section(BuildTasks)
    pretrain_plain: PretrainTasks = section(PretrainTasks)
    pretrain_structure: PretrainTasks = section(PretrainTasks)
    pretrain_syntax: PretrainSyntax = section(PretrainSyntax)
    evaluate_tasks: EvaluateTasks = section(EvaluateTasks)
    finetune_paraphrase: FinetuneParaphrase = section(FinetuneParaphrase)
    generate_paraphrases: GenerateParaphrases = section(GenerateParaphrases)
    score_paraphrases: ScoreParaphrases = section(ScoreParaphrases)
    systems: dict[Name, SystemOutputs] = option(
        {}, "outputs of other systems for the test pairs, by name: rows of the comparison"
    )
    compare_paraphrases: CompareParaphrases = section(CompareParaphrases)
    report: Report = section(Report)

    # Where each key was written; None for an experiment built in code.
    _source: Node | None = PrivateAttr(default=None)
    # The project's folder, under which templates lie.
    _project: Path = PrivateAttr(default=Path())

    @property
    def tuned_domains(self) -> list[str]:
        """Names of the domains that models are tuned on, sorted."""
        return sorted(name for name, domain in self.domains.items() if domain.tune)

    @property
    def compared_models(self) -> dict[str, list[str]]:
        """What the studies are told of, and the models each is made of: replicates, or one."""
        return members({name: model.model_dump() for name, model in self.models.items()})

    @property
    def compared_paraphrasers(self) -> dict[str, list[str]]:
        """What the syntax study is told of, and the encoder-decoders that each is made of."""
        return members({name: model.model_dump() for name, model in self.paraphrasers.items()})

    @property
    def staged_domains(self) -> list[str]:
        """Names of the domains whose tuning is followed in stages, sorted."""
        if not self.stage_forgetting.groups:
            return []
        return sorted(self.stage_forgetting.domains or self.tuned_domains)

    @property
    def staged_seeds(self) -> list[int]:
        """The tuning seeds that are followed in stages."""
        return list(self.stage_forgetting.seeds or self.seeds)

    @property
    def maps(self) -> bool:
        """Whether there is an atlas: of models tuned here, or of checkpoints tuned elsewhere."""
        return bool(self.atlas.groups or self.atlas.checkpoints)

    @property
    def mapped_domains(self) -> list[str]:
        """Names of the domains whose tuned models the atlas measures, sorted."""
        return sorted(self.atlas.domains or self.tuned_domains) if self.atlas.groups else []

    @property
    def mapped_seeds(self) -> list[int]:
        """The tuning seeds whose models the atlas measures."""
        return list(self.atlas.seeds or self.seeds)

    @property
    def restores(self) -> bool:
        """Whether anything is restored: models tuned here, or checkpoints tuned elsewhere."""
        return bool(self.stage_forgetting.groups or restored(self.model_dump(mode="json")))

    @property
    def groups(self) -> list[str]:
        """The training sets: the pure groups, mixtures by rising share in percent, further ones."""
        mix = self.mix_instructions
        further = [CONTEXTUALISED] * mix.contextualised + [RANDOM_WRONG] * mix.random_wrong
        return [*PURE_GROUPS, *(mixed_group(r) for r in sorted(mix.ratios)), *further]


def mixed_group(ratio: float) -> str:
    """Name of the mixture with this share of SELF-ALIGNING, for example ``mixed_20``."""
    return f"mixed_{round(100 * ratio)}"
