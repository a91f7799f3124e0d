"""Compares what the command line prints on terminals of two widths, without colors and in a pipe with golden files.

`SCREENS=write` in the environment writes the files.
"""

import os
import re

from emulator import ROOT

SCREENS = ROOT / "tests/data/screens"
# The name of a screen, and how it is taken.
WAYS = {"80": {"columns": 80, "color": True}, "120": {"columns": 120, "color": True}, "no-color": {"columns": 80}, "pipe": None}


def check(emulator, name, *arguments, made_up, fails=False):
    """Takes a screen in each way. `made_up`: texts of each run, and what stands for them."""
    command = [ROOT / "target/debug/invalidator", *arguments]
    for way, terminal in WAYS.items():
        if terminal:
            printed = emulator.screen(*command, fails=fails, **terminal)
        else:
            printed = emulator.run(*command, fails=fails, notes=True)
        assert ("\x1b" in printed) == bool(terminal and terminal.get("color")), (name, way, printed)
        if terminal:
            plain = re.sub("\x1b\\[[0-9;]*m", "", printed)
            wide = [line for line in plain.splitlines() if len(line) > terminal["columns"] and not line.startswith(("!", "Error:"))]
            assert not wide, (name, way, wide)
        compare(SCREENS / f"{name}.{way}.txt", readable(printed, made_up))


def readable(printed, made_up):
    """What was printed, with replacements of the same length, so that columns stay where they are."""
    for text, replacement in made_up.items():
        printed = printed.replace(text, replacement)
    rules = [(r"-[0-9A-F]{13}\b", "-1234567890ABC"), (r"\d+ (s|min) ago", "5 s ago"), ("\x1b", "␛"), (r"[ \t]+\n", "\n")]
    rules.append((r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-11-30 10:14 UTC"))
    for pattern, replacement in rules:
        printed = re.sub(pattern, replacement, printed)
    return printed


def compare(file, printed):
    if os.environ.get("SCREENS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(printed)
    assert file.exists(), f"{file} is missing: run the test with SCREENS=write"
    assert file.read_text() == printed, f"{file}:\n{file.read_text()}\nactual output:\n{printed}"
