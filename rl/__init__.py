"""The pure core: records, advantages, losses, packing, schedules and the training loop."""
