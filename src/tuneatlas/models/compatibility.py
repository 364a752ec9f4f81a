"""Does this workflow read a model as the model's own code does?

Probing and training go round the model's own forward pass: logits are made only where they are
needed, documents share rows, prompts share a prefix. That holds for the families tested
(docs/extending.md); a model that does something of its own with its logits, its mask or its
positions must be refused before it gives wrong numbers: what training rests on when the model is
brought, what scoring rests on once some questions are scored.
"""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuneatlas.errors import UserError
from tuneatlas.models.lm_head import token_logits
from tuneatlas.models.load import refuse_not_finite
from tuneatlas.models.not_numbers import not_numbers

# Logits differ by rounding; a wrong mask or head differs by much more.
TOLERANCE = {torch.float32: 2e-2}
ROUGH = 0.5


def refuse_unfit(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise UserError if weights are not finite, or if our logits differ from the model's own."""
    refuse_not_finite(model)
    if model.get_output_embeddings() is None or tokenizer.eos_token_id is None:
        raise UserError(
            f"a {model.config.model_type} model without an output layer, or a tokenizer without "
            "an end token, cannot be asked or tuned"
        )
    if model.base_model is model:
        raise UserError(
            f"models of type {model.config.model_type!r} cannot be used: what lies before the "
            "output layer has no name in their code, so use another family"
        )
    ids = tokenizer("One, two, three and four; five and six.", add_special_tokens=False).input_ids
    first, second = ids[: len(ids) // 2 + 1], ids[len(ids) // 2 :]
    with torch.inference_mode():
        plain = [plain_logits(model, part) for part in (first, second)]
        alone = model.base_model(torch.tensor([first], device=model.device), use_cache=False)
        made = token_logits(model, alone.last_hidden_state[0])
        row = torch.tensor([first + second], device=model.device)
        positions = [*range(len(first)), *range(len(second))]
        packed = token_logits(
            model,
            model.base_model(
                input_ids=row,
                position_ids=torch.tensor([positions], device=model.device),
                use_cache=False,
            ).last_hidden_state[0],
        )
    refuse_difference(model, "its logits are more than its output layer makes", plain[0], made)
    refuse_difference(model, "documents that share a row see each other", torch.cat(plain), packed)


def plain_logits(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    """Logits by the model's own forward pass, shape (tokens, vocabulary)."""
    out: torch.Tensor = model(torch.tensor([ids], device=model.device), use_cache=False).logits[0]
    return out.float()


def refuse_difference(
    model: PreTrainedModel, what: str, plain: torch.Tensor, ours: torch.Tensor
) -> None:
    """Raise UserError if two tensors of one shape, nats or logits, differ by more than rounding."""
    if not torch.isfinite(plain).all():
        raise UserError(f"what the model itself computes is {not_numbers(model.dtype)}")
    largest = float((plain.cpu().double() - ours.cpu().double()).abs().max())
    if not largest < TOLERANCE.get(model.dtype, ROUGH):
        raise UserError(
            f"models of type {model.config.model_type!r} cannot be used: {what} (difference "
            f"{largest:.2g}); it is the model's code that differs, so use another family"
        )
