"""Runs code written by a model so that it can harm nothing: a pool of pre-warmed, jailed fork
servers. What goes in is a program and its input, never an expected output or a verdict."""
