"""Where runs run: one backend for each kind of cluster, behind the Protocol of base.py."""
