"""Checks the documented commands of the AWS CLI, of scripts/ and of the command line.

AWS CLI commands are checked against the CLI's own tables, which come from botocore's service models: operation, options, required
options and enum values. No request is sent.
"""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from awscli.clidriver import create_clidriver
from awscli.customizations.cloudformation.yamlhelper import yaml_parse

from shell import ASSIGNMENT, commands

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", *sorted(str(it.relative_to(ROOT)) for it in ROOT.glob("docs/*.md"))]
DOCUMENTS += [".github/CONTRIBUTING.md", "infra/cdk/README.md", "infra/terraform/README.md"]

# Options of AWS CLI 2 that version 1 does not have. PyPI has version 1 only.
ONLY_VERSION_2 = {"--cli-binary-format", "--no-cli-pager"}
TAIL = {"--since", "--follow", "--format", "--filter-pattern", "--log-stream-names", "--log-stream-name-prefix"}


TEMPLATES = ("template.yaml", "site.yaml", "pipeline.yaml")


class InvalidCommand(Exception):
    """A documented command is invalid."""


def documented(text):
    """The commands of a document, each with whether it is complete: those in blocks are, those in the prose may be shortened."""
    blocks = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    for language, block in blocks.findall(text):
        if language in ("sh", "bash"):
            yield from ((words, True) for words in commands(block))
    for span in re.findall(r"`([^`]+)`", blocks.sub("", text)):
        if re.match(r"(aws|invalidator|scripts/[\w-]+) ", span):
            yield from ((words, False) for words in commands(span))
        elif re.match(r"[A-Z][a-z]\w+=\S*$", span):
            yield ["parameter", span], False


class Aws:
    """The command tables of the AWS CLI."""

    def __init__(self):
        self.driver = create_clidriver()
        self.services = self.driver._get_command_table()
        self.everywhere = {f"--{name}" for name in self.driver._get_argument_table()} | ONLY_VERSION_2

    def check(self, words, complete):
        if words[:2] == ["logs", "tail"]:
            self.known(words, self.everywhere | TAIL)
            return
        command, table, path = None, self.services, []
        while words and words[0] in table:
            path.append(words.pop(0))
            command = table[path[-1]]
            of_service = getattr(command, "_get_command_table", None)
            table = of_service() if of_service else getattr(command, "subcommand_table", {})
        # The CLI lists commands of CodeDeploy below `cloudformation deploy`, too.
        if table and path != ["cloudformation", "deploy"]:
            raise InvalidCommand(f"aws {' '.join(path)} has no command {words[0] if words else '(none given)'}")
        # Positional arguments, such as the output file of `lambda invoke`, are not options.
        arguments = {it.cli_name: it for it in command.arg_table.values() if it.cli_name.startswith("--") and not it.positional_arg}
        given = self.known(words, self.everywhere | set(arguments))
        missing = [name for name, it in arguments.items() if it.required and name not in given]
        if complete and missing:
            raise InvalidCommand(f"aws {' '.join(path)} requires {missing}")
        template = Path(given.get("--template-file", [""])[0]).name
        for value in given.get("--parameter-overrides", []):
            check_parameter(*value.split("=", 1), [template])
        for name, values in given.items():
            shape = getattr(arguments.get(name), "argument_model", None)
            shape = getattr(shape, "member", shape)
            known = getattr(shape, "enum", None)
            # The value of a variable is unknown.
            for value in values if known else []:
                if "$" not in value and value not in known:
                    raise InvalidCommand(f"{name} must be one of {known}, not {value}")

    def known(self, words, options):
        """The values of each given option."""
        given, name = {}, None
        for word in words:
            if word.startswith("--"):
                name, _, value = word.partition("=")
                if name not in options:
                    raise InvalidCommand(f"unknown option {name}")
                given[name] = [value] if value else []
            elif name:
                given[name].append(word)
        return given


@cache
def help_text(program):
    """The usage of a script, or the help of a command of the command line."""
    if program.startswith("scripts/") and "python" not in (ROOT / program).read_text().partition("\n")[0]:
        lines = (ROOT / program).read_text().splitlines()[1:]
        return "\n".join(lines[: next(number for number, line in enumerate(lines) if not line.startswith("#"))])
    called = [ROOT / program] if program.startswith("scripts/") else [ROOT / "target/debug/invalidator", *program.split()]
    called.append("--help")
    return subprocess.run(called, capture_output=True, text=True, check=True).stdout


def check_flags(program, words):
    for word in words:
        flag = word.partition("=")[0]
        if flag == "--":
            return
        if flag.startswith("-") and flag != "-" and not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", help_text(program)):
            raise InvalidCommand(f"{program} has no option {flag}")


@cache
def parameters(template):
    return yaml_parse((ROOT / "infra/cloudformation" / template).read_text())["Parameters"]


def check_parameter(name, value, templates=("template.yaml",)):
    found = [parameters(it)[name] for it in templates if name in parameters(it)]
    if not found:
        raise InvalidCommand(f"{' and '.join(templates)} have no parameter {name}")
    it = found[0]
    if "$" in value:
        return
    if value not in map(str, it.get("AllowedValues", [value])) or not re.fullmatch(it.get("AllowedPattern", ".*"), value):
        raise InvalidCommand(f"{name} does not allow {value}")
    if it["Type"] == "Number" and not it.get("MinValue", 0) <= int(value) <= it.get("MaxValue", int(value)):
        raise InvalidCommand(f"{name} does not allow {value}")


def check(aws, words, complete):
    """Checks a command. Returns whether it is a known program."""
    program, *rest = words
    # Skips placeholders and omissions.
    rest = [it for it in rest if not it.startswith(("[", "…"))]
    if program == "aws":
        aws.check(rest, complete)
    elif program in ("invalidator", "scripts/invalidator"):
        named = rest and not rest[0].startswith("-")
        check_flags(rest[0] if named else "", rest)
    elif program == "parameter":
        check_parameter(*rest[0].split("=", 1), TEMPLATES)
    elif program == "scripts/demo":
        check_flags("demo", rest)
    elif program.startswith("scripts/"):
        check_flags(program, rest)
        for word in rest if program == "scripts/deploy" else []:
            if ASSIGNMENT.match(word):
                check_parameter(*word.split("=", 1))
    else:
        return False
    return True


def main():
    aws, checked, failed = Aws(), {}, 0
    for document in DOCUMENTS:
        for words, complete in documented((ROOT / document).read_text()):
            try:
                if check(aws, list(words), complete):
                    checked[words[0]] = checked.get(words[0], 0) + 1
            except InvalidCommand as error:
                failed += 1
                print(f"{document}: {' '.join(words)}: {error}", file=sys.stderr)
    print("documented commands checked: " + ", ".join(f"{number} of {program}" for program, number in sorted(checked.items())))
    assert checked["aws"] > 20 and checked["scripts/deploy"] > 5, checked
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
