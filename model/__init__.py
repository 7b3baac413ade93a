"""Models: loading and saving, the packed forward pass, learners, the exporter, checkpoints."""
