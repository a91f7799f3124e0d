"""Validates the example in the Terraform module's README together with the resources of examples/basic."""

import re
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "emulator"))

from terraform import MODULES, Missing, Terraform

# The blocks of examples/basic that those of the README replace.
REPLACED = ["module", 'resource "aws_s3_bucket_notification"']


def configuration():
    """The README's example with the bucket and the distribution to which it refers."""
    [example] = re.findall(r"```hcl\n(.*?)```", (MODULES / "README.md").read_text(), re.DOTALL)
    basic = (MODULES / "examples/basic/main.tf").read_text()
    for start in REPLACED:
        block = rf'^{start} "\w+" {{\n.*?^}}\n'
        assert re.search(block, example, re.MULTILINE | re.DOTALL), start
        basic, replaced = re.subn(block, "", basic, flags=re.MULTILINE | re.DOTALL)
        assert replaced == 1, start
    assert "…/infra/terraform" in example
    return basic + example.replace("…/infra/terraform", "../")


def main():
    with tempfile.TemporaryDirectory() as directory:
        try:
            terraform = Terraform(Path(directory), "readme", extra=configuration())
        except Missing as missing:
            print(f"SKIPPED: {missing}", file=sys.stderr)
            return
        (terraform.directory / "target/package").mkdir(parents=True)
        (terraform.directory / "target/package/function.zip").touch()
        terraform.run("validate", "-no-color")
        terraform.run("fmt", "-check", "-diff")
        print("terraform: the README's example is valid")


if __name__ == "__main__":
    main()
