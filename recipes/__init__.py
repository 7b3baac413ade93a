"""Data sets, the nano world, and what each training recipe does."""
