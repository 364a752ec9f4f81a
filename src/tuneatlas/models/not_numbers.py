"""What is said of a model whose scores are NaN or infinite."""

import torch


def not_numbers(dtype: torch.dtype) -> str:
    """Why that may be, for weights of this number format, and what to do."""
    text = "not a number; its weights are not, or what it computes is beyond the range of its "
    text += f"number format ({str(dtype)[6:]}): look at how the model was trained"
    return text if dtype == torch.float32 else f"{text}, or set its dtype to float32"
