"""Questions about CloudFront's limits on invalidations. They use the distribution of the bucket `direct`."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor

from aws import pause
from report import table

# Between questions: longer than any rate that AWS documents.
CALM = 30


def wildcards(site):
    rows = []
    for numbers in ([2], [7], [15, 1], [16]):
        # The second request of a group is sent while the first is in progress.
        answers = [send(site, [f"/wildcards/{secrets.token_hex(3)}-{number}/*" for number in range(count)]) for count in numbers]
        for count, answer in zip(numbers, answers):
            completed = complete(site, answer)
            rows.append([count, "nothing" if count == numbers[0] else f"{numbers[0]} wildcards", *answer["cells"], completed])
        pause(CALM)
    return table(["wildcards in one request", "in progress before", "HTTP", "error", "message", "answered after", "completed after"], rows)


def wildcard_rate(site):
    answers = send_at_once(site, [[f"/rate/{secrets.token_hex(3)}/*"] for _ in range(4)])
    return at_once(site, answers)


def paths(site):
    first = send(site, [f"/paths/{number:03}" for number in range(151)])
    second = send(site, ["/paths/next"])
    rows = [[count, *answer["cells"], complete(site, answer)] for count, answer in ((151, first), (1, second))]
    pause(CALM)
    text = table(["paths in one request", "HTTP", "error", "message", "answered after", "completed after"], rows)
    return f"{text}\n\nThe second request was sent {second['began'] - first['ended']:.1f} s after the answer to the first."


def requests(site):
    return at_once(site, send_at_once(site, [[f"/requests/{number}"] for number in range(6)]))


def send(site, items):
    """Sends one invalidation, once: the answer as cells of a table, its times and the invalidation's ID."""
    site.budget.take(len(items))
    distribution = site.deployed("direct")
    began = time.monotonic()
    arguments = ["--distribution-id", distribution, "--paths", *items]
    status, answer, error = site.aws.status_of("cloudfront", "create-invalidation", *arguments)
    ended = time.monotonic()
    id = answer.get("Invalidation", {}).get("Id")
    cells = [status or "unknown", error.code or "no answer" if error else "none", error.message if error else "", f"{ended - began:.1f} s"]
    return {"cells": cells, "began": began, "ended": ended, "id": id, "accepted": bool(id)}


def send_at_once(site, batches):
    """Sends several invalidations at the same time."""
    site.deployed("direct")
    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(lambda items: send(site, items), batches))


def complete(site, answer):
    """When an invalidation was complete, in seconds after its answer."""
    if not answer["id"]:
        return "not created"
    completed = site.completed(site.deployed("direct"), answer["id"])
    return f"{time.monotonic() - answer['ended']:.1f} s" if completed else "not within 600 s"


def at_once(site, answers):
    """A table of requests that were sent at the same time."""
    first = min(it["began"] for it in answers)
    rows = [[f"{it['ended'] - first:.1f} s", *it["cells"][:3]] for it in sorted(answers, key=lambda it: it["ended"])]
    for answer in answers:
        complete(site, answer)
    pause(CALM)
    accepted = sum(it["accepted"] for it in answers)
    text = table(["answered at", "HTTP", "error", "message"], rows)
    return f"{accepted} of {len(answers)} were accepted.\n\n{text}"
