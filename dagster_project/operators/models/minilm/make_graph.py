"""Makes `graph.onnx`: the sentence model's computation, with operators that onnxruntime computes fast.

The weights stay in the package that brings them: what is written here says at which bytes of that file
each stands. Beside the graph of the package, it takes texts of equally many tokens only, so that there
is nothing to mask, and has each layer's attention, activation and normalization as one operator, which
saves a tenth to a fifth of the time.

`python -m dagster_project.operators.models.minilm.make_graph` writes it; needs the package onnx.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dagster_project.operators.models import sentence_embeddings

LAYERS = 6
HEADS = 12
EPSILON = 1e-12
FUSED = ("Attention", "BiasGelu", "SkipLayerNormalization")
"""Operators of onnxruntime's own."""


class _Graph:
    """A graph over the weights of another.

    Args:
        content: the other's file.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        source = onnx.load_from_string(content).graph
        self._weights = {each.name: each for each in source.initializer}
        self._source = source.node
        self._made_by = {output: node for node in source.node for output in node.output}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []

    def add(self, operator: str, inputs: list[str], output: str, **settings: Any) -> str:
        """A step of the computation; gives the name of its output."""
        domain = "com.microsoft" if operator in FUSED else ""
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **settings))
        return output

    def stored(self, name: str) -> str:
        """A weight that is in the file as it is used, by where its bytes are."""
        weight = self._weights[name]
        place = TensorProto(
            name=name,
            data_type=weight.data_type,
            dims=weight.dims,
            data_location=TensorProto.EXTERNAL,
        )
        where = {
            "location": sentence_embeddings.WEIGHTS,
            "offset": str(self._content.index(weight.raw_data)),
            "length": str(len(weight.raw_data)),
        }
        for key, value in where.items():
            place.external_data.add(key=key, value=value)
        self.weights.append(place)
        return name

    def scaled(self, name: str) -> str:
        """A weight that is in the file in 8 bits, with a scale for each row or column."""
        number = self.add("Cast", [self.stored(f"{name}_q")], f"{name}_f", to=TensorProto.FLOAT)
        return self.add("Mul", [number, self.stored(f"{name}_scale")], name)

    def matrix(self, bias: str) -> str:
        """What is multiplied with before this bias is added."""
        added = next(node for node in self._source if node.op_type == "Add" and bias in node.input)
        product = self._made_by[next(name for name in added.input if name != bias)]
        return self.scaled(product.input[1])

    def normalized(self, summed: list[str], layer: str, output: str) -> str:
        """The sum of a layer's outcome and what it was made of, normalized."""
        norm = [self.stored(f"{layer}.LayerNorm.{name}") for name in ("weight", "bias")]
        bias = self.stored(f"{layer}.dense.bias")
        return self.add("SkipLayerNormalization", [*summed, *norm, bias], output, epsilon=EPSILON)


def graph(content: bytes) -> bytes:
    """The model: `input_ids`, Int64 of shape (texts, tokens), and `positions`, Int64 of shape (tokens,),
    to `hidden`, Float32 of shape (texts, tokens, 384).

    Args:
        content: the package's file of weights.
    """
    made = _Graph(content)
    at = "inner.embeddings"
    made.weights.append(numpy_helper.from_array(np.array(0, np.int64), "first"))
    made.add("Gather", [made.scaled(f"{at}.word_embeddings.weight"), "input_ids"], "words")
    made.add("Gather", [made.stored(f"{at}.token_type_embeddings.weight"), "first"], "type")
    made.add("Gather", [made.scaled(f"{at}.position_embeddings.weight"), "positions"], "places")
    made.add("Add", ["places", "type"], "where")
    made.add("Add", ["words", "where"], "embedded")
    norm = [made.stored(f"{at}.LayerNorm.{name}") for name in ("weight", "bias")]
    hidden = made.add("LayerNormalization", ["embedded", *norm], "hidden0", epsilon=EPSILON)
    for layer in range(LAYERS):
        at = f"inner.encoder.layer.{layer}"
        biases = [f"{at}.attention.self.{name}.bias" for name in ("query", "key", "value")]
        made.add("Concat", [made.matrix(bias) for bias in biases], f"asked{layer}", axis=1)
        made.add("Concat", [made.stored(bias) for bias in biases], f"shift{layer}", axis=0)
        inputs = [hidden, f"asked{layer}", f"shift{layer}"]
        seen = made.add("Attention", inputs, f"seen{layer}", num_heads=HEADS)
        mixed = [seen, made.matrix(f"{at}.attention.output.dense.bias")]
        mixed = [made.add("MatMul", mixed, f"mixed{layer}"), hidden]
        seen = made.normalized(mixed, f"{at}.attention.output", f"normalized{layer}")
        wide = [seen, made.matrix(f"{at}.intermediate.dense.bias")]
        wide = [made.add("MatMul", wide, f"wide{layer}")]
        wide = [*wide, made.stored(f"{at}.intermediate.dense.bias")]
        active = made.add("BiasGelu", wide, f"active{layer}")
        narrow = [active, made.matrix(f"{at}.output.dense.bias")]
        narrow = [made.add("MatMul", narrow, f"narrow{layer}"), seen]
        output = "hidden" if layer == LAYERS - 1 else f"hidden{layer + 1}"
        hidden = made.normalized(narrow, f"{at}.output", output)
    model = helper.make_model(
        helper.make_graph(
            made.nodes,
            "all-MiniLM-L6-v2",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"]),
                helper.make_tensor_value_info("positions", TensorProto.INT64, ["tokens"]),
            ],
            [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["texts", "tokens", 384])],
            made.weights,
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
        ir_version=10,
    )
    return model.SerializeToString()


if __name__ == "__main__":
    folder = Path(__file__).parent
    (folder / "graph.onnx").write_bytes(graph(sentence_embeddings.weights()))
