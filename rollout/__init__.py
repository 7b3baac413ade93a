"""Sampling: prompts to completions, weight transfer and its verification, the rollout journal."""
