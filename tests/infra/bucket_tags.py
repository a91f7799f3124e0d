"""Applies the Terraform module for a bucket's tags, and checks which values and forms of URLs it accepts. It needs no provider."""

import json
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "emulator"))

from terraform import Missing, Terraform

DATA = Path(__file__).resolve().parents[1] / "data"
FORMS, OPTIONS = (json.loads((DATA / f"{name}.json").read_text()) for name in ("url-forms", "bucket-tags"))

ALL = {
    "distribution_ids": ["E2EXAMPLE1ABCD", "dt_example"],
    "distribution_tag": "cdn",
    "origin_path": "/web",
    "max_paths": 5,
    "index_documents": ["index.html", "index.htm"],
    "directory_urls": "both",
    "query_strings": "include",
    "urls": ["/:key", "/assets/:page"],
    "ignore": ["logs/", ".map"],
}
TAGS = {
    "cdn": "E2EXAMPLE1ABCD dt_example",
    "invalidation:originPath": "/web",
    "invalidation:maxPaths": "5",
    "invalidation:indexDocuments": "index.html index.htm",
    "invalidation:directoryUrls": "both",
    "invalidation:queryStrings": "include",
    "invalidation:urls": "/:key /assets/:page",
    "invalidation:ignore": "logs/ .map",
}
ONE = {"distribution_ids": ["E2EXAMPLE1ABCD"]}
INVALID = [
    ({"distribution_ids": []}, "Name at least one distribution"),
    (ONE | {"ignore": ["a*"]}, "A tag value has at most 256"),
    (ONE | {"ignore": ["x" * 257]}, "A tag value has at most 256"),
]
INVALID += [(ONE | {"urls": ["/:key", it]}, "A form starts with /") for it in FORMS["invalid"]]
for each in OPTIONS["invalid"] + OPTIONS["several_values"] + OPTIONS["reserved"]:
    [name] = each
    INVALID.append((ONE | each, f"var.{name} is"))


def main():
    with tempfile.TemporaryDirectory() as directory:
        try:
            terraform = Terraform(Path(directory), "bucket_tags", extra="")
        except Missing as missing:
            print(f"SKIPPED: {missing}", file=sys.stderr)
            return
        for variables, tags in [(ALL, TAGS), (ONE, {"distributionId": "E2EXAMPLE1ABCD"})]:
            assert terraform.apply(variables)["tags"] == tags, terraform.run("output").stdout
        for variables in OPTIONS["valid"]:
            terraform.give(ONE | variables)
            terraform.run("plan", "-input=false", "-no-color")
        forms = FORMS["valid"]
        assert terraform.apply(ONE | {"urls": forms})["tags"]["invalidation:urls"] == " ".join(forms)
        for variables, message in INVALID:
            terraform.give(variables)
            done = terraform.call("plan", "-input=false", "-no-color")
            assert done.returncode == 1 and message in " ".join(done.stderr.replace("│", " ").split()), (variables, done.stderr)
        valid = len(OPTIONS["valid"]) + len(forms)
        print(f"terraform: the tags of a bucket, with {valid} valid and {len(INVALID)} invalid values")


if __name__ == "__main__":
    main()
