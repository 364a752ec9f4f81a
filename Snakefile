"""tuneatlas: what tuning does to a language model. See README.md."""

import sys


include: "workflow/rules/common.smk"
include: "workflow/rules/times.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/restore.smk"
include: "workflow/rules/parse.smk"
include: "workflow/rules/starts.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/paraphrase.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/harness.smk"
include: "workflow/rules/audit.smk"


rule all:
    """The report over every study of the experiment, and the audit page behind it."""
    default_target: True
    input:
        rules.index.output.page,
        rules.audit.output.folder,
        expand(
            rules.evaluate_harness.output.metrics,
            model=MODELS,
            trained=TRAINED if config["evaluate_harness"]["tasks"] else [],
        ),
    localrule: True


rule s1:
    """Study S1 alone: learning or self-aligning?"""
    input:
        expand(rules.compare_groups.output.folder, model=MODELS),
    localrule: True


rule s2:
    """Study S2 alone: forgotten, or only shifted?"""
    input:
        expand(rules.stage_forgetting.output.folder, model=MODELS),
    localrule: True


rule s3:
    """Study S3 alone: what do linearised trees teach a model?"""
    input:
        expand(rules.compare_paraphrases.output.folder, paraphraser=PARAPHRASERS),
    localrule: True


rule verify:
    """Make what is missing, then check that every result is what its record says."""
    input:
        rules.all.input,
    log:
        "logs/verify.log",
    localrule: True
    params:
        python=lambda w: sys.executable,
    shell:
        "{params.python:q} -m tuneatlas.cli audit results > {log} || (cat {log} && exit 1)"
