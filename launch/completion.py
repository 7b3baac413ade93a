"""`launch completion`: scripts that complete commands, options, groups and settings in a shell.

All words are in the script, so that a Tab starts nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Literal, get_args, get_origin

from configs.compose import EVALUATIONS, RUNS, Kinds, group_options, setting_paths

PROGRAMS = ("launch", "r1-foundry")
WITH_RUN_SETTINGS = ("run", "plan", "check")
INTERNAL_GROUPS = ("scale",)
"""Chosen by the program, never by a user."""

BASH = """_launch() {{
    local line="${{COMP_LINE:0:COMP_POINT}}" command="" words
    local current="${{line##*[[:space:]]}}"
    ((COMP_CWORD > 1)) && command="${{COMP_WORDS[1]}}"
    case "$command" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    # Bash replaces only what follows the last "=".
    [[ $current == *=* ]] && COMPREPLY=("${{COMPREPLY[@]#"${{current%"${{current##*=}}"}}"}}")
    [[ ${{COMPREPLY[0]-}} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}}
complete -o default -F _launch {programs}
"""
ZSH = """#compdef {programs}
_launch() {{
    local command="" all
    ((CURRENT > 2)) && command="$words[2]"
    case "$command" in
{cases}
    esac
    local -a list=(${{=all}})
    compadd -S '' -- ${{(M)list:#*=}}
    compadd -- ${{list:#*=}}
    ((CURRENT > 2)) && _files
}}
compdef _launch {programs}
"""


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for bash, zsh or fish."""
    words = words_by_command(parser)
    programs = " ".join(PROGRAMS)
    if shell == "fish":
        return "\n".join(_fish(words)) + "\n"
    variable, template = {"bash": ("words", BASH), "zsh": ("all", ZSH)}[shell]
    cases = [f'        "{name}") {variable}="{" ".join(all)}" ;;' for name, all in words.items()]
    return template.format(cases="\n".join(cases), programs=programs)


def words_by_command(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Command -> everything that may follow it but files; "" -> the commands."""
    commands = _subcommands(parser)
    words = {"": [*commands, "--help"]}
    for name, command in commands.items():
        words[name] = sorted(set(_own_words(command)))
    for name in WITH_RUN_SETTINGS:
        words[name] += [*group_options()["recipe"], *_choices_of_groups(), *_settings(RUNS)]
    words["eval"] += _settings(EVALUATIONS)
    return words


def _own_words(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Options, fixed choices and actions of a command, those of its actions too."""
    for action in parser._actions:
        yield from action.option_strings
        if not action.option_strings and action.choices is not None:
            yield from map(str, action.choices)
    for below in _subcommands(parser).values():
        yield from _own_words(below)


def _subcommands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def _choices_of_groups() -> Iterator[str]:
    for group, options in group_options().items():
        if group not in INTERNAL_GROUPS:
            yield from (f"{group}={option}" for option in options)


def _settings(kinds: Kinds) -> Iterator[str]:
    """learner.ranks=, and with the value where only some are allowed: algorithm.loss=grpo."""
    for path, field in setting_paths(kinds).items():
        if field.annotation is bool:
            yield from (f"{path}=true", f"{path}=false")
        elif get_origin(field.annotation) is Literal:
            yield from (f"{path}={value}" for value in get_args(field.annotation))
        else:
            yield f"{path}="


def _fish(words: Mapping[str, list[str]]) -> Iterator[str]:
    for program in PROGRAMS:
        yield f"complete -c {program} -f -n __fish_use_subcommand -a '{' '.join(words[''])}'"
        for name, all in words.items():
            if name:
                seen = f"'__fish_seen_subcommand_from {name}'"
                yield f"complete -c {program} -n {seen} -a '{' '.join(all)}'"
