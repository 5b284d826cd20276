"""How good the rows of a version are, and what they cover, told from the store and the texts.

`quality.quality` and `coverage.coverage` each ask all their questions at once; each other module
answers one of them over the same rows. Where `inspection` tells what a version holds, this judges it:
against thresholds that are stated, or against a target.
"""
