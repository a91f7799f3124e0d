"""Measures a sync of many files on the emulator: through the queue, and directly to the function.

The queue is polled at once, not at the schedule's next time. The emulator's schedule may poll too. The counts are exact. The times
depend on the machine.
"""

import sys
import tempfile
import time
from pathlib import Path

from emulator import ROOT, Emulator, is_covered, until, url_of

STACK = "cloudfront-invalidator"


def main(files):
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        site = workdir / "site"
        for number in range(files):
            file = site / f"{number % 20:02}/page-{number:03}.html"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(str(number))
        urls = {url_of(str(file.relative_to(site))) for file in site.rglob("*.html")}
        print(f"{'sync of ' + str(files) + ' files':24} {'invocations':>12} {'invalidations':>14} {'paths':>7} {'last after':>11}")
        for via in ["queue", "function"]:
            emulator = Emulator(workdir)
            try:
                print_row(via, *sync(emulator, via, site, urls))
            finally:
                emulator.stop()


def sync(emulator, via, site, urls):
    archive = ROOT / "target/package/function.zip"
    emulator.run(ROOT / "scripts/deploy", "--stack", STACK, "--zip", archive)
    emulator.bucket("many")
    distribution = emulator.distribution("many")
    emulator.invalidator("link", "many", distribution, "--via", via, "--yes")
    emulator.run("aws", "s3", "sync", "--quiet", site, "s3://many")
    began = time.monotonic()
    sent = {}

    def invalidated():
        if via == "queue":
            emulator.poll()
        sent.update(emulator.invalidations(distribution))
        items = [item for items in sent.values() for item in items]
        return all(is_covered(url, items) for url in urls)

    until("all changed URLs are invalidated", invalidated, 600)
    seconds = time.monotonic() - began
    time.sleep(3)
    sent.update(emulator.invalidations(distribution))
    return invocations(emulator), len(sent), sum(map(len, sent.values())), seconds


def invocations(emulator):
    """How often the function was called, by its log."""
    logs, count = emulator.client("logs"), 0
    for group in logs.describe_log_groups()["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        count += sum(event["message"].startswith("REPORT RequestId") for page in pages for event in page["events"])
    return count


def print_row(via, calls, invalidations, paths, seconds):
    print(f"{'  through the ' + via:24} {calls:12} {invalidations:14} {paths:7} {seconds:9.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
