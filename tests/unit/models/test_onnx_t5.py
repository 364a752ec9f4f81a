"""A T5 through ONNX files and back, quantised as ONNX Runtime does it: whole, damaged, lacking."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from tests.unit.steps import a_step
from tuneatlas.errors import UserError
from tuneatlas.models.load import load_model
from tuneatlas.models.onnx_t5 import load_onnx_t5
from tuneatlas.studies.syntax.pretraining.prepare import prepare_paraphraser

TOKENS = ("<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz")


def varint(value: int) -> bytes:
    value %= 2**64
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: str, values: np.ndarray, raw: bool = True) -> bytes:
    """A tensor of the graph; ``raw``: as bytes, else as numbers of its kind."""
    kind = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7}[str(values.dtype)]
    sizes = b"".join(field(1, size) for size in values.shape)
    if raw:
        content = field(9, values.tobytes())
    elif kind == 1:
        content = field(4, values.tobytes())
    else:
        content = field(5, b"".join(varint(int(v)) for v in values.ravel()))
    return field(5, sizes + field(2, kind) + field(8, name.encode()) + content)


def quantised(name: str, values: np.ndarray, kind: str) -> tuple[bytes, np.ndarray]:
    """The three tensors of a weight in whole numbers, and the values that they stand for."""
    zero, low, high = (7, 0, 255) if kind == "uint8" else (0, -127, 127)
    scale = np.float32(np.abs(values).max() / 100)
    whole = np.clip(np.round(values / scale) + zero, low, high).astype(kind)
    parts = tensor(f"{name}_quantized", whole)
    parts += tensor(f"{name}_scale", np.array(scale), raw=False)
    parts += tensor(f"{name}_zero_point", np.array(zero, dtype=kind), raw=False)
    return parts, (whole.astype(np.float32) - zero) * scale


def product(name: str, kind: str, *inputs: str) -> bytes:
    said = b"".join(field(1, text.encode()) for text in inputs)
    return field(1, said + field(3, name.encode()) + field(4, kind.encode()))


def graph(prefix: str, root: str, state: dict[str, np.ndarray]) -> tuple[bytes, dict]:
    """A graph whose weights are called as torch's export calls them, and the values stored.

    Matrices have no names but those of the nodes that multiply by them; norms are not quantised.
    """
    parts, stored = [tensor("/Constant", np.array([3], dtype="int64"))], {}
    for number, (name, values) in enumerate(sorted(state.items())):
        path = name.removesuffix(".weight").removeprefix(f"{prefix}.")
        table = "embed" in name or "shared" in name or "bias" in name
        if values.ndim == 1:
            parts.append(tensor(f"{root}.{path}.weight", values))
            stored[name] = values
        elif table:
            part, stored[name] = quantised(f"{root}.{path}.weight", values, "uint8")
            parts.append(part)
        else:
            part, made = quantised(f"onnx::MatMul_{number}", values.T, "int8")
            stored[name] = made.T
            matrix = f"onnx::MatMul_{number}_quantized"
            node = f"/{root}/{path.replace('.layer.', '/layer.').replace('.', '/')}"
            for kept in ("block", "layer"):
                node = node.replace(f"/{kept}/", f"/{kept}.")
            parts += [part, product(f"{node}/MatMul_quant", "MatMulInteger", "x", matrix)]
    return field(1, 8) + field(7, b"".join(parts)), stored


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """The files of a random T5, and the weights that they hold."""
    torch.manual_seed(3)
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 12, "num_heads": 3}
    layers = {"num_layers": 2, "num_decoder_layers": 1}
    config = T5Config(vocab_size=len(TOKENS), feed_forward_proj="gated-gelu", **sizes, **layers)
    model = T5ForConditionalGeneration(config)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    state["lm_head.weight"] = np.random.default_rng(0).normal(size=(len(TOKENS), 8)).astype("f4")
    encoder = {n: v for n, v in state.items() if n.startswith("encoder")}
    decoder = {
        n: v for n, v in state.items() if n.startswith(("decoder.b", "decoder.f", "lm", "sh"))
    }
    folder = tmp_path / "package/data"
    folder.mkdir(parents=True)
    first, stored = graph("encoder", "enc", encoder)
    second, more = graph("", "m", decoder)
    (folder / "encoder.onnx").write_bytes(first)
    (folder / "decoder.onnx").write_bytes(second)
    from tokenizers import Tokenizer, models

    vocabulary = [(token, -float(at)) for at, token in enumerate(TOKENS)]
    Tokenizer(models.Unigram(vocabulary, unk_id=2)).save(str(folder / "tokenizer.json"))
    return folder, stored | more


def test_weights_are_those_that_the_whole_numbers_stand_for(written) -> None:
    folder, stored = written
    model, tokenizer = load_onnx_t5(folder)
    found = model.state_dict()
    assert {n for n in found if n not in stored} == {"decoder.embed_tokens.weight"}
    for name, values in stored.items():
        assert np.array_equal(found[name].numpy(), values), name
    assert not torch.equal(found["lm_head.weight"], found["shared.weight"])
    assert tokenizer.decode(tokenizer.encode("abc")).replace(" ", "") == "abc"


def test_a_step_writes_a_folder_of_it_with_sentinels_and_its_own_output_matrix(
    tmp_path: Path, written
) -> None:
    folder, stored = written
    options = {"source": "package", "package": "t5", "version": "1", "sha256": "0" * 64}
    options |= {"folder": "data", "licence": "MIT"}
    inputs = {"package": [folder.parent]}
    step = a_step(tmp_path, inputs, {"model": "made"}, options, paraphraser="t5")
    assert prepare_paraphraser(step)["added_tokens"] == 100
    model, tokenizer = load_model(tmp_path / "made")
    rows = len(TOKENS)
    assert len(tokenizer) == rows + 100
    head = model.state_dict()["lm_head.weight"][:rows].numpy()
    assert np.array_equal(head, stored["lm_head.weight"])
    assert 'license: "MIT"' in (tmp_path / "made/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "tokenizer.json"])
def test_a_damaged_file_is_refused_by_its_name_or_changes_numbers_alone(written, name) -> None:
    folder, _ = written
    path = folder / name
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for cut in rng.integers(0, len(whole) - 1, 12):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=str(folder)):
            load_onnx_t5(folder)
    for at in rng.integers(0, len(whole), 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        try:
            load_onnx_t5(folder)
        except UserError as error:
            refused += str(folder) in str(error)
    assert refused
    path.unlink()
    with pytest.raises(UserError, match=name):
        load_onnx_t5(folder)


def test_weights_of_another_kind_of_model_are_refused(written) -> None:
    folder, _ = written
    whole = (folder / "decoder.onnx").read_bytes()
    for text, other in ((b"lm_head", b"xx_head"), (b"wi_0", b"wi_9"), (b"shared", b"sharex")):
        (folder / "decoder.onnx").write_bytes(whole.replace(text, other))
        with pytest.raises(UserError, match="T5 of version 1.1"):
            load_onnx_t5(folder)
