"""Questions about what the edge serves after an invalidation."""

import time

from report import table
from resources import invalidations

# The keys that change, and how viewers spell their URLs.
CHANGED = {
    "edge/plain.html": ["/edge/plain.html"],
    "edge/it's.html": ["/edge/it's.html", "/edge/it%27s.html"],
    "edge/a+b.html": ["/edge/a%2Bb.html"],
    "edge/a b.html": ["/edge/a%20b.html", "/edge/a+b.html"],
    "edge/café.html": ["/edge/caf%C3%A9.html", "/edge/caf%c3%a9.html"],
}
# It does not change, so it stays cached.
UNCHANGED = {"edge/unchanged.html": ["/edge/unchanged.html"]}

DIRECTORIES = {"index.html": ["/", "/index.html"], "pages/a/index.html": ["/pages/a/", "/pages/a/index.html"]}


def upload_originals(site):
    """Uploads what the questions change, before the bucket is linked: S3 sends no events for it."""
    keys = [*CHANGED, *UNCHANGED, *DIRECTORIES]
    site.upload(site.bucket("site"), {key: f"1 {key}" for key in keys})


def eviction(site):
    return changed_and_read(site, CHANGED, UNCHANGED, 20)


def directories(site):
    return changed_and_read(site, DIRECTORIES, {}, 6)


def changed_and_read(site, changed, unchanged, most_paths):
    """Reads each URL until it is cached, changes its object, and reads again before and after the invalidation."""
    bucket = site.sends_events("site", "queue")
    site.budget.take(most_paths)
    urls = [(key, url) for key, spelled in (changed | unchanged).items() for url in spelled]
    cached = {url: site.read_cached("site", url) for _, url in urls}
    began = time.time()
    site.upload(bucket, {key: f"2 {key}" for key in changed})
    before = {url: site.read("site", url) for _, url in urls}
    reports = site.handled(began, len(changed))
    after = {url: site.read("site", url) for _, url in urls}
    rows = []
    for key, url in urls:
        result = "not served" if after[url][0] != 200 else "new object" if after[url][2].startswith("2 ") else "old object"
        served = after[url][2][2:] if after[url][0] == 200 else ""
        cells = [short(answer[url]) for answer in (cached, before, after)]
        rows.append([f"`{key}`", f"`{url}`", *cells, result, f"`{served}`" if served != key else "the same"])
    sent = [site.completed(distribution, id) for id, distribution in invalidations(reports)]
    # The log line lists the first paths only.
    paths = sorted({path for it in sent if it for path in it["InvalidationBatch"]["Paths"]["Items"]})
    text = table(["key", "URL", "cached", "changed", "invalidated", "result", "key served"], rows)
    return f"{text}\n\nPaths sent: {', '.join(f'`{path}`' for path in paths)}"


def short(answer):
    """Such as `200 Hit 1`: the status, the first word of `X-Cache`, and the object's version."""
    status, cache, body = answer
    return f"{status} {cache.split(' ')[0]}{' ' + body[:1] if status == 200 else ''}".strip()
