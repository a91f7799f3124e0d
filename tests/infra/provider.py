"""Checks the Terraform module and its example against the schema of version 6 of the AWS provider, without the provider.

`tests/data/aws-provider-6.json` has the schema of the resources and data sources that they use. This command writes it, from the npm
package @cdktf/provider-aws, which is generated from the provider's schema:

    npm pack @cdktf/provider-aws@21.22.0 && python tests/infra/provider.py cdktf-provider-aws-21.22.0.tgz

The package does not say which arguments are deprecated. `tests/emulator` applies both with the version of the provider at hand.
"""

import json
import re
import sys
import tarfile
from pathlib import Path

import hcl

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "infra/terraform"
SCHEMA = ROOT / "tests/data/aws-provider-6.json"

# Arguments and blocks of Terraform itself.
META = {"count", "depends_on", "for_each", "provider"}


def files():
    return {it: it.read_text() for it in sorted(MODULES.rglob("*.tf")) if ".terraform" not in it.parts}


def used(sources):
    """The resources and data sources, each with its kind and type."""
    for path, text in sources.items():
        for block in hcl.parse(text):
            if block.kind in ("resource", "data"):
                yield path, block


def check_block(where, block, schema):
    """The defects of a block: unknown arguments and blocks, and required ones that are missing."""
    known = schema["arguments"]
    written = set(block.attributes) - META
    for inner in block.blocks:
        if inner.kind == "lifecycle":
            continue
        dynamic = inner.kind == "dynamic"
        name = inner.labels[0] if dynamic else inner.kind
        written.add(name)
        content = next(it for it in inner.blocks if it.kind == "content") if dynamic else inner
        if name in known and known[name].get("block"):
            yield from check_block(f"{where}.{name}", content, known[name]["block"])
        elif name in known:
            yield f"{where}: {name} is not a block"
    for name in block.attributes:
        if name in known and known[name].get("block"):
            yield f"{where}: {name} is a block"
    yield from (f"{where}: no argument {it}" for it in sorted(written - known.keys()))
    yield from (f"{where}: {it} is required" for it in sorted(known.keys() - written) if known[it].get("required"))


def check_references(path, text, schemas):
    """The defects of the references to attributes."""
    for data, kind, attribute in re.findall(r"\b(data\.)?(aws_\w+)\.\w+(?:\[[^\]]*\])?\.(\w+)", re.sub(r"#[^\n]*", "", text)):
        schema = schemas["data" if data else "resource"].get(kind)
        if schema and attribute not in schema["arguments"].keys() | set(schema["attributes"]):
            yield f"{path.name}: {kind} has no attribute {attribute}"


def read_schema(package, wanted):
    """The schema of the wanted types, from the package."""
    schemas = {"resource": {}, "data": {}}
    with tarfile.open(package) as archive:
        text = lambda name: archive.extractfile(f"package/lib/{name}").read().decode()
        provider = re.search(r"provider version ([\d.]+)", archive.extractfile("package/README.md").read().decode()).group(1)
        for kind, name in sorted(wanted):
            directory = ("data-aws-" if kind == "data" else "") + name.removeprefix("aws_").replace("_", "-")
            # Some names get a suffix, because they are words of a programming language.
            declared, code = text(f"{directory}/index.d.ts"), text(f"{directory}/index.js")
            interfaces = dict(re.findall(r"export interface (\w+)[^{]*\{(.*?)\n\}", declared, re.DOTALL))
            root = next(it for it in interfaces if it.endswith("Config") and "extends cdktf.TerraformMetaArguments" in declared.split(it)[1][:60])
            attributes = re.findall(r"get\w+Attribute\('(\w+)'\)", code)
            schemas[kind][name] = {"arguments": arguments(interfaces, root), "attributes": sorted(set(attributes))}
    return {"provider": provider} | schemas


def arguments(interfaces, name):
    """The arguments that an interface declares: `#snake_case Owner#snake_case` in the comment, then the property."""
    found = {}
    pattern = r"#(\w+) \w+#\w+\}.*?\*/\s+readonly \w+(\??): ([^;]+);"
    for argument, optional, declared in re.findall(pattern, interfaces[name], re.DOTALL):
        found[argument] = {} if optional else {"required": True}
        inner = next((it for it in re.findall(r"\w+", declared) if it in interfaces), None)
        if inner:
            found[argument]["block"] = {"arguments": arguments(interfaces, inner)}
    return found


def main():
    sources = files()
    if len(sys.argv) > 1 and sys.argv[1].endswith(".tgz"):
        wanted = {(block.kind, block.labels[0]) for _, block in used(sources)}
        SCHEMA.write_text(json.dumps(read_schema(sys.argv[1], wanted), indent=1, sort_keys=True) + "\n")
    schemas, failures, count = json.loads(SCHEMA.read_text()), [], 0
    for path, block in used(sources):
        count += 1
        kind, (name, label) = block.kind, block.labels
        if name not in schemas[kind]:
            failures.append(f"{path.name}: {SCHEMA.name} has no {kind} {name}; write it again")
            continue
        failures += check_block(f"{path.name}: {name}.{label}", block, schemas[kind][name])
    for path, text in sources.items():
        failures += check_references(path, text, schemas)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"terraform: {count} blocks checked against version {schemas['provider']} of the provider")
    assert count > 25, count
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
