"""Parses the subset of shell syntax that the documents use."""

import re

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# Words that may precede a command.
KEYWORDS = {"{", "if", "then", "else", "elif", "while", "until", "do", "!", "exec", "time"}


def commands(script):
    """The simple commands of a script as lists of words without quotes. Expansions stay unexpanded; the commands in command
    substitutions are included."""
    found, words, word, quote, at = [], [], None, "", 0
    script = script.replace("\\\n", " ") + "\n"

    def end_word():
        nonlocal word
        if word is not None:
            words.append(word)
        word = None

    def end_command():
        end_word()
        kept = list(words)
        words.clear()
        while kept and (kept[0] in KEYWORDS or ASSIGNMENT.match(kept[0])):
            kept.pop(0)
        if kept:
            found.append(kept)

    while at < len(script):
        it = script[at]
        if quote != "'" and script.startswith("$(", at):
            end = closing(script, at + 1)
            found.extend(commands(script[at + 2 : end]))
            word = (word or "") + script[at : end + 1]
            at = end
        elif quote:
            if it == quote:
                quote = ""
            else:
                word += it
        elif it in "'\"":
            quote, word = it, word or ""
        elif it == "\\":
            at += 1
            word = (word or "") + script[at]
        elif it == "#" and word is None:
            at = script.index("\n", at) - 1
        elif it in "<>":
            # A redirection, with the file descriptor before it, is not a word of the command.
            word = None if (word or "").isdigit() else word
            end_word()
            at += len(re.match(r"[<>&]+\s*[^\s;|)]*", script[at:]).group()) - 1
        elif it in "|;&()\n":
            end_command()
        elif it.isspace():
            end_word()
        else:
            word = (word or "") + it
        at += 1
    assert not quote, f"unterminated quote: {script}"
    end_command()
    return found


def closing(script, at):
    """The index of the parenthesis that closes the one at this index."""
    depth, quote = 0, ""
    while True:
        it = script[at]
        if quote:
            quote = "" if it == quote else quote
        elif it in "'\"":
            quote = it
        elif it in "()":
            depth += 1 if it == "(" else -1
            if depth == 0:
                return at
        at += 1
