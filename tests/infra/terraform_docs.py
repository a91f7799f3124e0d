"""Checks the tables of the Terraform module's README, in the layout of terraform-docs. `--write` writes them.

terraform-docs is not on the package registries, so this test writes what `terraform-docs markdown table` does.
"""

import json
import re
import sys
from pathlib import Path

import hcl

MODULE = Path(__file__).resolve().parents[2] / "infra/terraform"
README = MODULE / "README.md"
BEGIN, END = "<!-- BEGIN_TF_DOCS -->", "<!-- END_TF_DOCS -->"


def blocks(kind):
    found = [it for path in sorted(MODULE.glob("*.tf")) for it in hcl.parse(path.read_text()) if it.kind == kind]
    return sorted(found, key=lambda it: it.labels)


def text(value):
    """A string of the language, or a heredoc, in a cell of a table."""
    plain = json.loads(value) if value.startswith('"') else value
    return re.sub(r"([|_*])", r"\\\1", plain).replace("\n", "<br/>")


def anchor(kind, name):
    escaped = name.replace("_", "\\_")
    return f'<a name="{kind}_{name}"></a> [{escaped}](#{kind}\\_{escaped})'


def code(value):
    value = re.sub(r"\s+", " ", value)
    return f"`{value}`"


def tables():
    versions = next(it for it in blocks("terraform")[0].blocks if it.kind == "required_providers").attributes["aws"]
    requirements = [("terraform", blocks("terraform")[0].attributes["required_version"].strip('"'))]
    requirements += [("aws", re.search(r'version += "([^"]+)"', versions).group(1))]
    lines = ["## Requirements", "", "| Name | Version |", "|------|---------|"]
    lines += [f'| <a name="requirement_{name}"></a> [{name}](#requirement\\_{name}) | {version} |' for name, version in requirements]
    lines += ["", "## Inputs", "", "| Name | Description | Type | Default | Required |", "|------|-------------|------|---------|:--------:|"]
    for it in blocks("variable"):
        default = it.attributes.get("default")
        cells = [anchor("input", it.labels[0]), text(it.attributes["description"]), code(it.attributes["type"])]
        cells += [code(default) if default else "n/a", "no" if default else "yes"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Outputs", "", "| Name | Description |", "|------|-------------|"]
    lines += [f"| {anchor('output', it.labels[0])} | {text(it.attributes['description'])} |" for it in blocks("output")]
    return "\n".join([BEGIN, *lines, END])


def main():
    readme, expected = README.read_text(), tables()
    found = re.search(f"{BEGIN}.*{END}", readme, re.DOTALL)
    assert found, f"{README.name} has no {BEGIN}"
    if "--write" in sys.argv:
        README.write_text(readme.replace(found.group(), expected))
    elif found.group() != expected:
        raise SystemExit(f"{README} differs from the module: run python tests/infra/terraform_docs.py --write")
    print(f"terraform: the README lists {len(blocks('variable'))} inputs and {len(blocks('output'))} outputs")


if __name__ == "__main__":
    main()
