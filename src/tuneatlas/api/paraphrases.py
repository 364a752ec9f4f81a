"""Scores of paraphrases, and the distance between trees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tuneatlas.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


class ParaphraseScores(NamedTuple):
    """Scores of each output, in the order given, and BLEU-4 of all together, 0 to 100."""

    items: "pd.DataFrame"
    corpus_bleu4: float


def score_paraphrases(
    outputs: Sequence[str],
    references: Sequence[str],
    sources: Sequence[str],
    *,
    trees: Sequence[str | None] | None = None,
    reference_trees: Sequence[str] | None = None,
    exemplar_trees: Sequence[str] | None = None,
    heights: Sequence[int] = (5,),
    programs: Mapping[str, str | Path] | None = None,
) -> ParaphraseScores:
    """Score what any system wrote, as step score_paraphrases scores this workflow's own models.

    Args:
        outputs: a paraphrase for each source. Words are compared as they are cut by blanks, so
            outputs must be cut as the references are.
        references: what each is to say.
        sources: the sentences that were rewritten, for ``self_copy``.
        trees: parses of the outputs in brackets, None where there is none.
        reference_trees: parses of the references; without them and ``trees`` no tree is scored.
        exemplar_trees: parses of sentences with the syntax wanted.
        heights: depths at which trees are cut for TED beside the whole ones.
        programs: the fetched folders ``meteor`` and ``java``; without them METEOR is left out.

    Returns:
        Columns ``bleu4`` (0 to 100, of a sentence: smoothed), ``rouge1``, ``rouge2``, ``rougeL``
        (F1), ``exact_match``, ``self_copy``, and where asked for ``meteor``, ``parsed``, ``ted_r``
        and ``ted_e`` (edits to the reference's tree and to the exemplar's).

    Raises:
        UserError: lists of different lengths, or a tree that is none.

    Source:
        BLEU: sacrebleu; ROUGE: rouge-score; METEOR 1.5: Denkowski and Lavie 2014; TED as SGCP and
        AESOP have it (Kumar et al. 2020; Sun et al. 2021).

    Example:
        >>> found = score_paraphrases(
        ...     ["the cat was seen by the dog ."],
        ...     ["the cat was seen by the dog ."],
        ...     ["the dog saw the cat ."],
        ... )
        >>> found.items[["bleu4", "exact_match", "self_copy"]].iloc[0].round(1).tolist()
        [100.0, 1.0, 0.0]
        >>> round(found.corpus_bleu4, 1)
        100.0
    """
    import pandas as pd

    from tuneatlas.studies.syntax.paraphrasing.meteor import meteor
    from tuneatlas.studies.syntax.paraphrasing.scores import corpus_bleu, text_scores

    for name, values in {
        "references": references,
        "sources": sources,
        "trees": trees,
        "reference_trees": reference_trees,
        "exemplar_trees": exemplar_trees,
    }.items():
        if values is not None and len(values) != len(outputs):
            raise UserError(f"{len(outputs)} outputs, but {len(values)} {name}: one for each")
    if (trees is None) != (reference_trees is None) or (exemplar_trees and trees is None):
        raise UserError("trees are compared: give trees and reference_trees, or neither")
    texts = zip(outputs, references, sources, strict=True)
    rows: list[dict[str, float]] = [text_scores(*three) for three in texts]
    if programs:
        folders = {name: Path(folder) for name, folder in programs.items()}
        found = meteor(list(outputs), list(references), folders["meteor"], folders["java"])
        rows = [{**row, "meteor": value} for row, value in zip(rows, found, strict=True)]
    if trees is not None and reference_trees is not None:
        for number, row in enumerate(rows):
            own, wanted = trees[number], [reference_trees[number]]
            wanted += [exemplar_trees[number]] if exemplar_trees else []
            row |= _tree_row(own, wanted, heights, f"tree {number + 1}")
    return ParaphraseScores(pd.DataFrame(rows), corpus_bleu(list(outputs), list(references)))


def _tree_row(
    tree: str | None, others: Sequence[str], heights: Sequence[int], where: str
) -> dict[str, float]:
    """Whether there is a tree, and its edits to the reference's, and the exemplar's if given."""
    from tuneatlas.studies.syntax.paraphrasing.scores import tree_scores

    own = None if tree is None else _normal(tree, f"trees, {where}")
    reference, *exemplar = (
        _normal(other, f"{name}, {where}")
        for name, other in zip(("reference_trees", "exemplar_trees"), others, strict=False)
    )
    found = tree_scores(own, reference, exemplar[0] if exemplar else reference, heights)
    kept = {k: v for k, v in found.items() if exemplar or not k.startswith("ted_e")}
    return {"parsed": float(own is not None), **kept}


def tree_edit_distance(one: str, other: str, *, height: int | None = None) -> int:
    """Least number of nodes to insert, delete and rename to make one tree of the other.

    Args:
        one: a tree in brackets, as of the Penn Treebank: ``(S (NP (PRP I)) (VP (VBP see)))``.
            Traces, function tags and the node on top are brought into one normal form first.
        other: another.
        height: both are first stripped of their words and cut at this depth, the root being 1.

    Raises:
        UserError: a text that is not one tree.

    Source:
        Zhang and Shasha (1989), unit costs.

    Example:
        >>> tree_edit_distance("(S (NP I) (VP see))", "(S (NP we) (VP see))")
        1
        >>> tree_edit_distance("(S (NP I) (VP see))", "(S (VP see))", height=3)
        1
    """
    from tuneatlas.studies.syntax.trees.ted import tree_distance

    return tree_distance(_normal(one, "the first"), _normal(other, "the second"), height)


def _normal(text: str, where: str) -> str:
    """A tree in normal form, as written."""
    from tuneatlas.studies.syntax.trees.linear import read_bracket, write_bracket
    from tuneatlas.studies.syntax.trees.trees import normalise

    return write_bracket(normalise(read_bracket(text, where)))
