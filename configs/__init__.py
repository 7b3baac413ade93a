"""Hydra YAML groups, their strict typed models, and composition. Imports without torch."""
