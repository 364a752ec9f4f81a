"""Asks model folders under whichever transformers runs it; `test_other_transformers` compares.

    python other_transformers.py FOLDER ... > answers.json

It imports nothing of the package, so that an environment of its own needs torch and
transformers alone.
"""

import json
import sys
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

TEXTS = ("Which number follows 12? A. 1 B. 2", "The capital of France is", "<node_0> S (NP")
CHAT = [{"role": "user", "content": "Which number follows 12?"}]
NEW = 12


def asked(folder: str) -> dict[str, Any]:
    """Token ids, logits and greedy answers to the texts, and the chat as it is laid out."""
    two = AutoConfig.from_pretrained(folder).is_encoder_decoder
    kind = AutoModelForSeq2SeqLM if two else AutoModelForCausalLM
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, info = kind.from_pretrained(folder, output_loading_info=True)
    model.eval()
    found: dict[str, Any] = {"lacks": sorted(info["missing_keys"]), "texts": []}
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt").input_ids
        given = {"input_ids": ids, **({"decoder_input_ids": ids} if two else {})}
        with torch.no_grad():
            logits = model(**given).logits[0]
            answer = model.generate(input_ids=ids, max_new_tokens=NEW, do_sample=False, num_beams=1)
        found["texts"].append([ids[0].tolist(), logits.tolist(), answer[0].tolist()])
    if tokenizer.chat_template:
        found["chat"] = tokenizer.apply_chat_template(
            CHAT, tokenize=False, add_generation_prompt=True
        )
    return found


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    answers = {folder: asked(folder) for folder in sys.argv[1:]}
    json.dump({"version": transformers.__version__, "answers": answers}, sys.stdout)
