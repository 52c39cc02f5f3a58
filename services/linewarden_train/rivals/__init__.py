"""Rivals of the trust indicator behind one interface, and the random heads that it must beat."""

from linewarden_train.rivals.random_heads import RandomHeads, compare_heads, head_scores, random_heads
from linewarden_train.rivals.scoring import score_rivals

__all__ = ["RandomHeads", "compare_heads", "head_scores", "random_heads", "score_rivals"]
