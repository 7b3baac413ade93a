"""The command line, Ray actors, run state, trackers, console, report and viewer."""
