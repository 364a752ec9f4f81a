"""New tokens begin as the paper says, and survive the tokenizer."""

import copy
import random
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.unit.studies.syntax.random_trees import random_tree
from tuneatlas.errors import UserError
from tuneatlas.models.build import new_t5, train_tokenizer
from tuneatlas.models.load import load_model
from tuneatlas.models.save import save_model
from tuneatlas.studies.syntax.pretraining.labels import labels_of
from tuneatlas.studies.syntax.pretraining.structure_tasks import STRUCTURE_TASKS
from tuneatlas.studies.syntax.pretraining.syntax_tasks import SYNTAX_TASKS
from tuneatlas.studies.syntax.pretraining.tasks import NONE, Setting
from tuneatlas.studies.syntax.pretraining.vocabulary import (
    NUMBERED,
    SENTINEL_TOKENS,
    STRUCTURE_TOKENS,
    add_labels,
    add_marks,
    add_sentinels,
    add_structure_tokens,
    decode,
    pieces_of,
    tidy,
)
from tuneatlas.studies.syntax.trees.linear import (
    FORMS,
    SEP,
    escape,
    read_sentence,
    write_bracket,
)
from tuneatlas.training.seq2seq import encode_end

SHAPE = {"hidden_size": 16, "intermediate_size": 32, "layers": 1, "heads": 2, "dropout": 0.0}
TEXTS = ["The cat sat on the mat: it ran. S NP VP INSIDE ( 0 1 2 3 4 5 6 7 8 9"] * 20


def bytes_tokenizer():
    return train_tokenizer(TEXTS, 330)


def words_tokenizer():
    """Like T5's own: SentencePiece's unigrams, with an unknown token."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    alphabet = [chr(c) for c in range(33, 127)]
    trainer = trainers.UnigramTrainer(
        vocab_size=300,
        special_tokens=special,
        unk_token="<unk>",
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.fixture(params=[bytes_tokenizer, words_tokenizer])
def pair(request):
    tokenizer = request.param()
    return new_t5(tokenizer, SHAPE, seed=1), tokenizer


def test_embeddings_begin_as_the_paper_says(pair):
    model, tokenizer = pair
    before = model.get_input_embeddings().weight.detach().clone()
    assert add_structure_tokens(model, tokenizer) == 200 + 80 + 2
    weights = model.get_input_embeddings().weight.detach()
    assert weights.shape[0] == len(tokenizer)
    assert torch.equal(weights[: len(before)], before)
    for token, digits in (
        ("<node_37>", "37"),
        ("</node_37>", "37"),
        ("<H_4>", "4"),
        ("<S_40>", "40"),
    ):
        like = before[tokenizer.encode(digits, add_special_tokens=False)[-1]]
        assert torch.equal(weights[tokenizer.convert_tokens_to_ids(token)], like)
    none = weights[tokenizer.convert_tokens_to_ids("<none>")]
    unknown = tokenizer.unk_token_id
    assert torch.equal(none, before.mean(0) if unknown is None else before[unknown])
    assert torch.equal(none, weights[tokenizer.convert_tokens_to_ids("<sep>")])
    assert add_structure_tokens(model, tokenizer) == 0
    assert torch.equal(model.get_output_embeddings().weight, weights)


def test_new_rows_follow_from_the_seed_alone(pair):
    """Whatever was drawn before, and however often: torch seeds itself anew in each process."""

    def grown(state: int):
        model, tokenizer = copy.deepcopy(pair)
        torch.manual_seed(state)
        add_structure_tokens(model, tokenizer)
        found = []
        for beginning in ("nodes", "unknown", "random"):
            torch.manual_seed(state)
            add_labels(model, tokenizer, [f"{beginning}-{n}" for n in range(3)], 1, beginning)
            torch.manual_seed(state)
            add_marks(model, tokenizer, 1)
            found.append(model.get_input_embeddings().weight.detach().clone())
        return torch.cat(found)

    assert torch.equal(grown(1), grown(2))


def test_labels_are_drawn_around_the_nodes(pair):
    model, tokenizer = pair
    with pytest.raises(UserError, match="before the labels"):
        add_labels(model, tokenizer, [], seed=1)
    add_structure_tokens(model, tokenizer)
    with torch.no_grad():
        weights = model.get_input_embeddings().weight
        at = [tokenizer.convert_tokens_to_ids(f"<node_{i}>") for i in range(100)]
        weights[at] = 5 + 0.1 * torch.randn(100, 16, generator=torch.Generator().manual_seed(0))
    labels = [f"X{i}" for i in range(300)]
    assert add_labels(model, tokenizer, ["(", *labels], seed=1) == 301
    drawn = model.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids(labels)]
    assert drawn.mean().item() == pytest.approx(5, abs=0.02)
    assert drawn.std(0).mean().item() == pytest.approx(0.1, abs=0.01)
    assert "-LRB-" in tokenizer.get_vocab()
    # A label inside a word is no label.
    add_labels(model, tokenizer, ["SBARQ"], seed=1)
    label = tokenizer.convert_tokens_to_ids("SBARQ")
    assert label in tokenizer.encode("(SBARQ on)") and label not in tokenizer.encode("SBARQS")


def test_labels_begin_otherwise_in_models_that_did_not_see_stage_1(pair):
    model, tokenizer = pair
    add_labels(model, tokenizer, ["NP", "VP"], seed=1, beginning="random")
    first = model.get_input_embeddings().weight[-2:].detach().clone()
    assert not torch.equal(first[0], first[1])
    before = model.get_input_embeddings().weight.detach().clone()
    add_labels(model, tokenizer, ["PP", "QP"], seed=1, beginning="unknown")
    rows = model.get_input_embeddings().weight[-2:]
    unknown = tokenizer.unk_token_id
    like = before.mean(0) if unknown is None else before[unknown]
    assert all(torch.allclose(row, like, atol=1e-6) for row in rows)


def test_a_label_that_is_a_token_is_kept_unless_its_piece_is_to_be_overwritten(pair):
    model, tokenizer = pair
    add_structure_tokens(model, tokenizer)
    for overwrite in (False, True):
        before = model.get_input_embeddings().weight.detach().clone()
        assert add_labels(model, tokenizer, [":"], seed=1, overwrite=overwrite) == 0
        changed = (model.get_input_embeddings().weight != before).any(1).nonzero().flatten()
        piece = tokenizer.encode(":", add_special_tokens=False)[0]
        assert changed.tolist() == ([piece] if overwrite else [])


def test_all_texts_of_the_tasks_survive_the_tokenizer(pair, tmp_path):
    model, tokenizer = pair
    rng = random.Random(1)
    trees = [random_tree(rng, 4) for _ in range(40)]
    add_sentinels(model, tokenizer)
    add_structure_tokens(model, tokenizer)
    labels = labels_of(map(write_bracket, trees))
    add_labels(model, tokenizer, labels, seed=1)
    save_model(tmp_path, model, tokenizer)
    _, tokenizer = load_model(tmp_path)
    pieces = pieces_of(tokenizer, labels)
    for tree in trees:
        assert "".join(pieces(write_bracket(tree))) == write_bracket(tree)
        for form in FORMS.values():
            for name, task in (STRUCTURE_TASKS | SYNTAX_TASKS).items():
                for written in task.build(tree, rng, Setting(form, pieces)) or ():
                    ids = tokenizer.encode(written, add_special_tokens=False)
                    end = [tokenizer.eos_token_id, 5, 6]
                    read = decode(tokenizer, [tokenizer.pad_token_id, *ids, *end])
                    if name.startswith("denoise"):
                        # Behind a sentinel a part of a word may be a label.
                        assert "".join(read.split()) == "".join(tidy(written).split())
                        continue
                    assert read == tidy(written), (name, written)


@cache
def prepared():
    tokenizer = bytes_tokenizer()
    model = new_t5(tokenizer, SHAPE, seed=1)
    add_sentinels(model, tokenizer)
    add_structure_tokens(model, tokenizer)
    return tokenizer


@given(
    st.lists(
        st.sampled_from(["</s>", "<s>", "<pad>", "<unk>", *STRUCTURE_TOKENS[-20:]])
        | st.text("<>/\\\\sep_H1au(é", min_size=1, max_size=8),
        min_size=1,
        max_size=5,
    )
)
def test_sentences_may_speak_of_tokens(said):
    """They come back as they were, and hold none of the tokens that end texts or part them."""
    tokenizer = prepared()
    for glue in ("", "x"):
        sentence = [f"{glue}{word}{glue}" for word in said]
        ids = encode_end(tokenizer, " ".join(map(escape, sentence)))
        assert ids.count(tokenizer.eos_token_id) == 1
        around = {NONE, SEP, *SENTINEL_TOKENS, *(t for t in NUMBERED if t[1] in "HS")}
        assert not around & set(tokenizer.convert_ids_to_tokens(ids))
        assert read_sentence(decode(tokenizer, ids)) == sentence


def test_rows_drawn_at_random_are_not_in_an_output_matrix_of_its_own():
    tokenizer = train_tokenizer(["the cat sat on the mat"], 300)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "layers": 1, "heads": 2, "dropout": 0.0}
    model = new_t5(tokenizer, sizes, seed=1)
    model.config.tie_word_embeddings = False
    head = torch.randn(model.lm_head.weight.shape)
    model.lm_head.weight = torch.nn.Parameter(head.clone())
    add_labels(model, tokenizer, ["NP", "VP"], seed=1, beginning="random")
    known = tokenizer.get_vocab()
    rows = [known["NP"], known["VP"]]
    assert torch.allclose(model.lm_head.weight[rows], head.mean(0).expand(2, -1))
    assert not torch.equal(*model.shared.weight[rows])
