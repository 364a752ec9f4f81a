"""Every family of models through the package's own steps: brought, probed, tuned, restored, asked.

The models are tiny and random, with the family's own code, attention and kind of tokenizer.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.examples import ROOT, TEMPLATES, question
from tests.unit.models.reference_scores import one_by_one
from tests.unit.steps import a_step, restoring, tuning, weights
from tuneatlas.errors import UserError
from tuneatlas.models.build import train_tokenizer
from tuneatlas.models.compatibility import refuse_unfit
from tuneatlas.models.likelihoods import Request, log_likelihoods
from tuneatlas.models.load import load_model
from tuneatlas.models.positions import most_positions
from tuneatlas.models.prompts import ChatTemplate, QuestionTemplate
from tuneatlas.models.save import save_model
from tuneatlas.models.scoring import score_prompts
from tuneatlas.studies.forgetting.finetune import finetune_stages
from tuneatlas.studies.forgetting.restore import restore
from tuneatlas.studies.knowledge.evaluate import evaluate_tuned
from tuneatlas.studies.knowledge.probe import probe_base
from tuneatlas.training.base import prepare_base

COMMON = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
}
GROUPED = COMMON | {"num_key_value_heads": 2, "head_dim": 8}
MIXED = {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}
# Config class, its values, the kind of tokenizer, and whether prompts begin with the begin token.
FAMILIES = {
    "llama": ("LlamaConfig", GROUPED, "pieces", True),
    "mistral": ("MistralConfig", GROUPED | {"sliding_window": 8}, "pieces", True),
    "qwen2": ("Qwen2Config", GROUPED, "bytes", False),
    "qwen2-sliding": (
        "Qwen2Config",
        GROUPED | MIXED | {"use_sliding_window": True, "max_window_layers": 1},
        "bytes",
        False,
    ),
    "qwen3": ("Qwen3Config", GROUPED, "bytes", False),
    "gemma": ("GemmaConfig", GROUPED, "pieces", True),
    "gemma2": (
        "Gemma2Config",
        GROUPED | MIXED | {"attn_logit_softcapping": 1.0, "final_logit_softcapping": 2.0},
        "pieces",
        True,
    ),
    "gemma3": ("Gemma3TextConfig", GROUPED | MIXED, "pieces", True),
    "gpt-neox": ("GPTNeoXConfig", COMMON, "bytes", False),
    # Its window goes by places in a row, not by positions.
    "gpt-neo": (
        "GPTNeoConfig",
        {
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 8,
            "max_position_embeddings": 512,
        },
        "bytes",
        False,
    ),
}
QUESTIONS = [
    question(n, id=f"q/{n}", split=split)
    for n, split in enumerate(["dev"] * 3 + ["train"] * 3 + ["test"] * 3)
]
TEXTS = [
    (ROOT / "Makefile").read_text(encoding="utf-8"),
    "Which number follows 12? A. 1 B. 2 C. 3 D. 4 Answer: A. USER: ASSISTANT:",
    # Letters after a space are one token.
    "Answer: A B C D " * 30,
]


def pieces_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer as Llama, Mistral and Gemma have: marked word beginnings, bytes at last."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = [text.replace(" ", " ▁").split(" ") for text in TEXTS]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([w.strip() for line in words for w in line], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, PreTrainedTokenizerFast]:
    return {"pieces": pieces_tokenizer(), "bytes": train_tokenizer(TEXTS, 400)}


def make(family: str, tokenizer: PreTrainedTokenizerFast) -> transformers.PreTrainedModel:
    kind, values, _, _ = FAMILIES[family]
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id")}
    torch.manual_seed(3)
    config = values | ids | {"vocab_size": len(tokenizer), "pad_token_id": None}
    model = AutoModelForCausalLM.from_config(getattr(transformers, kind)(**config)).eval()
    for parameters in model.parameters():
        # Far enough from uniform that a wrong mask shows.
        if parameters.ndim > 1:
            parameters.data.mul_(4)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_as_the_models_own_code_does(family, tokenizers):
    """Shared prefixes and side-by-side options, also beyond a sliding window."""
    model = make(family, tokenizers[FAMILIES[family][2]])
    rng = np.random.default_rng(0)
    prefix = rng.integers(3, 300, 20).tolist()
    requests = [
        Request(prefix + rng.integers(3, 300, size).tolist(), rng.integers(3, 300, 3).tolist())
        for size in (1, 4, 12)
        for _ in range(2)
    ]
    requests += [Request(r.context, r.continuation[::-1]) for r in requests[:2]]
    found = log_likelihoods(model, requests, 200)
    assert found == pytest.approx([one_by_one(model, r) for r in requests], abs=2e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_goes_through_every_step(family, tokenizers, tmp_path: Path):
    """Brought, probed, tuned, restored and evaluated: the package's own functions."""
    _, _, kind, bos = FAMILIES[family]
    tokenizer = tokenizers[kind]
    save_model(tmp_path / "given", make(family, tokenizer), tokenizer)
    bringing = a_step(
        tmp_path,
        {},
        {"model": "base"},
        {"source": "path", "path": str(tmp_path / "given"), "bos": bos},
    )
    letters = {"scoring": "letter", "question_template": "letter"}
    asking = {
        "probe_knowledge": letters,
        "evaluate_knowledge": letters | {"chat_template": "vicuna"},
    }
    assert prepare_base(bringing, asking, "float32")["parameters"] > 0
    letter = QuestionTemplate.load(TEMPLATES / "questions/letter.yaml")
    probe = {"scoring": "letter", "batch_tokens": 512, "shots": 2, "demonstration_seed": 1}
    probe |= {"dtype": "float32", "draws": 2, "rotations": 2}
    answers = probe_base(tmp_path / "base", QUESTIONS, letter, probe, bos=bos).answers
    assert len(answers) == 6
    tuned = tuning(tmp_path, tmp_path / "base", [1, 3])
    facts = finetune_stages(tuned, bos=bos)
    # Each of the twelve replies has at least its end token within a row.
    assert (facts["examples"], facts["examples_cut"]) == (12, 0)
    assert facts["supervised_tokens"] > 24
    back = restoring(tmp_path, {"step_3": tmp_path / "kept/3"}, tokens=100)
    restore(back, bos=bos)
    for losses in (tuned.own["step_3"]["losses"], back.own["step_3"]["losses"]):
        assert losses and all(0 < loss < 100 for loss in losses)
    models = ("base", "kept/1", "kept/3", "r/step_3/50", "r/step_3/100")
    assert len({weights(tmp_path / name) for name in models}) >= 4
    restored = tmp_path / "r/step_3/100"
    chat = ChatTemplate.load(TEMPLATES / "chat/vicuna.yaml")
    rows = evaluate_tuned(restored, QUESTIONS, letter, chat, probe, bos=bos)
    assert len(rows) == 3
    before, after = (load_model(p)[0].state_dict() for p in (tmp_path / "base", restored))
    assert set(before) == set(after)
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("text", "changes", "dtype", "message"),
    [
        (
            "o",
            {},
            "float32",
            r"evaluate_knowledge\.scoring: .* ' A' after 'r ASSISTANT:' is 2 tokens",
        ),
        (
            " A B C D",
            {"bos": True},
            "float32",
            r"models\.mini\.bos: its tokenizer has no begin token",
        ),
        (" A B C D", {}, "float16", r"models\.mini\.dtype: float16 would round .* as F32"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_when_it_is_brought(
    tmp_path: Path, text: str, changes: dict, dtype: str, message: str
):
    """What the preflight says of models at hand, said of one that was not."""
    tokenizer = train_tokenizer([text] * 9, 300)
    model = make("llama", tokenizer)
    tokenizer.bos_token = None
    save_model(tmp_path / "given", model, tokenizer)
    options = {"source": "path", "path": str(tmp_path / "given"), "bos": False, **changes}
    bringing = a_step(tmp_path, {}, {"model": "base"}, options)
    letters = {"scoring": "letter", "question_template": "letter", "chat_template": "vicuna"}
    with pytest.raises(UserError, match=message):
        prepare_base(bringing, {"evaluate_knowledge": letters}, dtype)
    assert not (tmp_path / "base").exists()


def test_a_text_is_never_read_otherwise_for_a_long_one_beside_it():
    """Phi-3's angles are others for a whole batch once a text in it is long; so none may be."""
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4}
    long = {"rope_parameters": rope | {"long_factor": [4.0] * 4}}
    of_its_own = GROUPED | {"original_max_position_embeddings": 64, "pad_token_id": None}
    assert most_positions(transformers.Phi3Config(**of_its_own, **long)) == 64
    assert most_positions(transformers.Phi3Config(**of_its_own)) == 512


def test_lengths_beyond_the_positions_are_refused_when_a_model_is_brought(tmp_path: Path):
    """With every key that asks for too much, of whichever section."""
    tokenizer = train_tokenizer(TEXTS, 400)
    save_model(tmp_path / "given", make("llama", tokenizer), tokenizer)
    options = {"source": "path", "path": str(tmp_path / "given"), "bos": False}
    asking = {
        "finetune": {"row_length": 513},
        "restore_stages": {"row_length": 512},
        "evaluate_stages": {"window": 2048},
    }
    with pytest.raises(UserError) as caught:
        prepare_base(a_step(tmp_path, {}, {"model": "base"}, options), asking, "float32")
    assert str(caught.value).splitlines() == [
        f"{key}: {size} tokens are more than the 512 positions of models.mini (its "
        "max_position_embeddings): lower this"
        for key, size in (("finetune.row_length", 513), ("evaluate_stages.window", 2048))
    ]


def test_a_family_whose_logits_are_its_own_is_refused(tokenizers):
    values = GROUPED | {"logits_scaling": 2.0, "vocab_size": 400}
    values.pop("head_dim")
    model = AutoModelForCausalLM.from_config(transformers.GraniteConfig(**values)).eval()
    with pytest.raises(UserError, match=r"'granite' cannot be used: its logits"):
        refuse_unfit(model, tokenizers["bytes"])
    settings = {"scoring": "cloze", "batch_tokens": 64}
    with pytest.raises(UserError, match=r"'granite' cannot be used: options are not scored"):
        score_prompts(model, tokenizers["bytes"], [0], ["One"], [["two"]], settings, bos=False)


def test_a_model_whose_decoder_has_no_name_is_refused(tokenizers):
    """Llama 4's text model, of which transformers does not say what lies before the head."""
    tokenizer = tokenizers["bytes"]
    values = GROUPED | {"intermediate_size_mlp": 64, "num_local_experts": 2}
    config = transformers.Llama4TextConfig(**values, vocab_size=len(tokenizer), pad_token_id=None)
    with pytest.raises(UserError, match="'llama4_text' cannot be used"):
        refuse_unfit(AutoModelForCausalLM.from_config(config), tokenizer)
