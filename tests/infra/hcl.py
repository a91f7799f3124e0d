"""Parses the subset of Terraform's language that the module uses, as `terraform fmt` formats it."""

import re


class Block:
    """A block with its type, its labels, its attributes as source text, and the blocks in it."""

    def __init__(self, kind, labels):
        self.kind, self.labels, self.attributes, self.blocks = kind, labels, {}, []


def parse(source):
    """The blocks of a file."""
    lines = iter(source.splitlines())
    return body(lines, Block("", [])).blocks


def body(lines, block):
    for line in lines:
        text = line.strip()
        if text == "}":
            return block
        if not text or text.startswith("#"):
            continue
        if opened := re.fullmatch(r'(\w+)((?: "[^"]+")*) \{(\})?', text):
            inner = Block(opened.group(1), re.findall(r'"([^"]+)"', opened.group(2)))
            block.blocks.append(inner if opened.group(3) else body(lines, inner))
            continue
        name, value = re.fullmatch(r"([\w-]+) += (.*)", text).groups()
        block.attributes[name] = rest(lines, value)
    return block


def rest(lines, value):
    """The whole value of an attribute that begins with this text."""
    if heredoc := re.fullmatch(r"<<-(\w+)", value):
        taken = []
        for line in lines:
            if line.strip() == heredoc.group(1):
                indent = min(len(it) - len(it.lstrip()) for it in taken)
                return "\n".join(it[indent:] for it in taken)
            taken.append(line)
    while depth(value) > 0:
        value += "\n" + next(lines)
    return value


def depth(text):
    """The number of brackets that are open at the end of a text."""
    plain = re.sub(r'"(?:[^"\\]|\\.)*"|#[^\n]*', "", text)
    return sum(plain.count(it) for it in "([{") - sum(plain.count(it) for it in ")]}")
