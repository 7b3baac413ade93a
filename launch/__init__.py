"""The command line, Ray actors, run state, trackers, console and report."""
