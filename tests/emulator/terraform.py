"""Applies the Terraform example to an emulator of AWS, changes objects in its bucket, checks the invalidations, and destroys it.

The test uses the real provider. It is skipped, with a message, if Terraform or the provider is not available.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import burst
from emulator import ROOT, Emulator, site, url_of, zip_of
from run import dead_letters, sync

MODULES = ROOT / "infra/terraform"

# Directories that may contain the provider, in addition to TF_PLUGIN_DIR: Terraform's own, and those of container images.
PLUGIN_DIRS = ["~/.terraform.d/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"]
PLUGIN_DIRS += map(str, Path("/opt").glob("*"))

# The emulator requires path-style requests.
EMULATED = 'provider "aws" {\n  s3_use_path_style = true\n}\n'


class Missing(Exception):
    """Terraform or its provider is not available."""


class Terraform:
    """A copy of the modules with one of their directories as the root module, with its own state."""

    def __init__(self, workdir, directory=".", environment=None, extra=EMULATED):
        if not shutil.which("terraform"):
            raise Missing("terraform is not installed")
        copy = workdir / "terraform"
        shutil.copytree(MODULES, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        self.directory = copy / directory
        self.directory.mkdir(exist_ok=True)
        (self.directory / "emulated.tf").write_text(extra)
        # The attributes that the configuration sets, by the address of the resource; known after a plan.
        self.written = {}
        # The user's Terraform and AWS configuration must not affect the test.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        self.environment = own | (environment or {}) | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
        init = ["init", "-input=false", "-no-color", "-backend=false"]
        directories = [os.environ.get("TF_PLUGIN_DIR", "")] + PLUGIN_DIRS
        # A plugin directory contains a directory for each registry.
        found = [it for it in (Path(it).expanduser() for it in directories if it) if any(it.glob("*/hashicorp/aws"))]
        init += [f"-plugin-dir={found[0]}"] if found else []
        done = self.call(*init)
        if "Failed to query available provider packages" in done.stderr or "Failed to install provider" in done.stderr:
            raise Missing(f"the Terraform provider is not available; set TF_PLUGIN_DIR to a directory that contains it\n{done.stderr}")
        if done.returncode != 0:
            raise SystemExit(f"terraform {' '.join(init)}\n{done.stdout}{done.stderr}")

    def call(self, *arguments):
        command = ["terraform", *arguments]
        return subprocess.run(command, cwd=self.directory, env=self.environment, capture_output=True, text=True, check=False)

    def run(self, *arguments):
        done = self.call(*arguments)
        if done.returncode != 0:
            raise SystemExit(f"terraform {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done

    def give(self, variables):
        (self.directory / "test.auto.tfvars.json").write_text(json.dumps(variables))

    def apply(self, variables=None):
        """Applies the configuration and returns the outputs."""
        if variables is not None:
            self.give(variables)
        self.run("apply", "-auto-approve", "-input=false", "-no-color")
        return {name: it["value"] for name, it in json.loads(self.run("output", "-json").stdout).items()}

    def plan(self, variables=None):
        """The planned changes by the address of the resource; empty if there is no drift."""
        if variables is not None:
            self.give(variables)
        self.run("plan", "-input=false", "-no-color", "-out=plan")
        plan = json.loads(self.run("show", "-json", "plan").stdout)
        written = [it for it in plan["configuration"]["root_module"].get("resources", []) if it["mode"] == "managed"]
        self.written = {it["address"]: set(it["expressions"]) for it in written}
        changes = plan.get("resource_changes", [])
        return {it["address"]: it["change"]["after"] for it in changes if it["change"]["actions"] not in (["no-op"], ["read"])}

    def state(self):
        return json.loads(self.run("show", "-json").stdout)["values"]["root_module"]

    def destroy(self):
        self.run("destroy", "-auto-approve", "-input=false", "-no-color")


def main(bootstrap):
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        emulator = Emulator(workdir)
        try:
            play(emulator, workdir, zip_of(workdir, bootstrap))
        except Missing as missing:
            print(f"SKIPPED: {missing}", file=sys.stderr)
        finally:
            emulator.stop()


def play(emulator, workdir, zip_file):
    began = time.monotonic()
    terraform = Terraform(workdir, "examples/basic", emulator.environment)
    variables = {"bucket": "by-terraform", "zip": str(zip_file)}
    outputs = terraform.apply(variables)
    applied = time.monotonic()
    drift = terraform.plan()
    are_created(emulator, {address: drift.pop(address) for address in list(drift) if ".aws_cloudwatch_metric_alarm." in address})
    assert not drift, drift
    print(f"terraform: applied in {applied - began:.0f} s, a second plan contains no changes, except of the alarm")
    files = workdir / "site"
    keys = site(files)
    bucket, distribution = outputs["bucket"], outputs["distribution_id"]
    sync(emulator, bucket, files, f"s3://{bucket}", distribution, {url_of(key) for key in keys} | {"/"})
    (files / "robots.txt").unlink()
    sync(emulator, bucket, files, f"s3://{bucket}", distribution, {"/robots.txt"})
    failed = dead_letters(emulator, outputs["dead_letter_queue_arn"].rsplit(":", 1)[1])
    assert failed == 0, f"{failed} messages in the dead-letter queue"
    burst.play(emulator, "terraform")
    emulator.run("aws", "s3", "rm", "--quiet", "--recursive", f"s3://{bucket}")
    terraform.destroy()
    left = emulator.client("lambda").list_functions()["Functions"] + emulator.client("s3").list_buckets()["Buckets"]
    left += emulator.schedules() + emulator.client("iam").list_roles()["Roles"]
    assert not left, left
    print("terraform: destroyed")


def are_created(emulator, planned):
    """The emulator has each planned alarm. The provider reads few of its attributes from there, so a second plan sets the others."""
    alarms = {it["AlarmName"]: it for it in emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert {it["alarm_name"] for it in planned.values()} == alarms.keys() == {"cloudfront-invalidator-queue-age"}, (planned, alarms)
    for it in planned.values():
        alarm = alarms[it["alarm_name"]]
        found = {of["Name"]: of["Value"] for of in alarm["Dimensions"]}, alarm["AlarmDescription"], alarm["ActionsEnabled"]
        assert found == (it["dimensions"], it["alarm_description"], it["actions_enabled"]), (it, alarm)
        names = ["Namespace", "MetricName", "Statistic", "Period", "Threshold", "EvaluationPeriods", "TreatMissingData"]
        for name in names:
            assert alarm[name] == it[re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()], (name, it, alarm)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
