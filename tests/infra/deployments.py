"""Runs the tests of the deployments and of the documented commands concurrently, because the Terraform provider waits for most of
the time.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PARTS = ["infra/facts.py", "infra/documents.py", "infra/authorization.py", "infra/commands.py", "infra/handler.py", "infra/module.py"]
PARTS += ["infra/bucket_tags.py", "infra/provider.py", "infra/terraform_docs.py", "infra/terminal.py", "infra/equality.py", "infra/release.py"]
PARTS += ["emulator/run.py", "emulator/rie.py", "emulator/deploy.py", "emulator/terraform.py", "emulator/cdk.py", "emulator/smoke.py"]


def run(part, bootstrap):
    command = [sys.executable, TESTS / part, bootstrap]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, end="", flush=True)
    return done.returncode


def main(bootstrap):
    with ThreadPoolExecutor() as pool:
        codes = list(pool.map(lambda part: run(part, bootstrap), PARTS))
    failed = [part for part, code in zip(PARTS, codes) if code != 0]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
