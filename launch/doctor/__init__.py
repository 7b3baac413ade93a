"""`launch check`: whether a run could work here, before it is started."""
