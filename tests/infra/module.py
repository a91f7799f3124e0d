"""Validates the example in the Terraform module's README together with the resources of examples/basic, and checks the order in which
Terraform creates the resources.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "emulator"))

from terraform import MODULES, Missing, Terraform

ROOT = MODULES.parents[1]
SOURCE = "git::…//infra/terraform?ref=v0.1.0"

# A bucket that notifies the function directly.
DIRECT = """
resource "aws_s3_bucket_notification" "direct" {
  bucket = "direct"

  lambda_function {
    lambda_function_arn = module.invalidator.function_arn
    events              = ["s3:ObjectCreated:*"]
  }
}
"""

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
    assert SOURCE in example
    return basic + example.replace(SOURCE, "../")


def is_after(graph, later, *earlier):
    """Fails unless Terraform creates one resource after the others, directly or through others."""
    edges = re.findall(r'^\s*"([^"]+)" -> "([^"]+)"', graph, re.MULTILINE)
    reached, added = set(), {later}
    while added:
        reached |= added
        added = {to for start, to in edges if start in reached} - reached
    missing = set(earlier) - reached
    assert len(edges) > 10 and not missing, f"{later} does not wait for {sorted(missing)}"


def is_fetched_as_shown(terraform):
    """The source of the README's example, with this checkout as the repository."""
    directory = terraform.directory / "fetched"
    directory.mkdir()
    # The last commit, whatever the tag of the next release is.
    source = SOURCE.replace("git::…", f"git::file://{ROOT}").replace("v0.1.0", "HEAD")
    (directory / "main.tf").write_text(f'module "invalidator" {{\n  source = "{source}"\n}}\n')
    terraform.run(f"-chdir={directory}", "get", "-no-color")
    assert list(directory.glob(".terraform/modules/invalidator/infra/terraform/variables.tf")), source


def main():
    with tempfile.TemporaryDirectory() as directory:
        try:
            terraform = Terraform(Path(directory), "readme", extra=configuration() + DIRECT)
        except Missing as missing:
            print(f"SKIPPED: {missing}", file=sys.stderr)
            return
        (terraform.directory / "target/package").mkdir(parents=True)
        (terraform.directory / "target/package/function.zip").touch()
        terraform.run("validate", "-no-color")
        graph = terraform.run("graph").stdout
        # S3 validates the destinations of event notifications when they are configured.
        is_after(graph, "aws_s3_bucket_notification.site", "module.invalidator.aws_sqs_queue_policy.this")
        is_after(graph, "aws_s3_bucket_notification.direct", "module.invalidator.aws_lambda_permission.s3")
        # EventBridge does not retry what a queue's policy does not allow.
        policies = [f"module.invalidator.aws_sqs_queue_policy.{it}" for it in ("this", "dead_letter")]
        is_after(graph, "module.invalidator.aws_cloudwatch_event_target.this", *policies)
        if (ROOT / ".git").exists():
            is_fetched_as_shown(terraform)
        terraform.run("fmt", "-check", "-diff")
        print("terraform: the README's example is valid, and event sources wait for the permissions of their destinations")


if __name__ == "__main__":
    main()
