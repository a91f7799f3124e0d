"""A burst through the direct trigger while CloudFront refuses: all changes end in the queue, and the next poll invalidates them.

The emulator's CloudFront refuses nothing, so the function's requests to CloudFront go through a proxy of this test, which does.
"""

import http.client
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_plus, urlsplit

from emulator import is_covered, until, url_of

BUCKET = "burst"
FILES = 500

# How many files are uploaded at a time: `aws s3 sync` uploads ten.
UPLOADS = 10

# The most paths of an invalidation (MaxPaths).
MAX_PATHS = 30

# How long a process sends changes to the queue without asking CloudFront, after CloudFront refused one, in seconds.
QUEUE_ONLY_TIME = 60

# How CloudFront reports that the rate of requests is exceeded, with status 400.
THROTTLING = (
    '<?xml version="1.0"?>\n<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type>'
    "<Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
    "<RequestId>8f507cfc-6c55-4697-b07a-ac58fc914c95</RequestId></ErrorResponse>"
).encode()


class CloudFrontProxy:
    """An HTTP proxy between the function and the emulator's CloudFront, on the loopback interface. While `refuses` is true, it
    answers `CreateInvalidation` itself, with CloudFront's error."""

    def __init__(self, target):
        self.refuses = True
        # The requests that were refused, by the connection that they came on: each process of the function has its own.
        self.refused = Counter()
        self.created = 0
        self.lock = threading.Lock()
        self.target = urlsplit(target).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            # Keeps connections open.
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                proxy.answer(self)

            def do_POST(self):
                proxy.answer(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            # All processes of a burst connect at once.
            request_queue_size = 512

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        creates = request.command == "POST" and request.path.endswith("/invalidation")
        with self.lock:
            refuses = creates and self.refuses
            if refuses:
                self.refused[request.client_address] += 1
            elif creates:
                self.created += 1
        status, headers, answer = (400, {"Content-Type": "text/xml"}, THROTTLING) if refuses else self.forward(request, body)
        request.send_response_only(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def forward(self, request, body):
        connection = http.client.HTTPConnection(self.target, timeout=30)
        try:
            connection.request(request.command, request.path, body, dict(request.headers))
            response = connection.getresponse()
            of_connection = ("connection", "content-length", "transfer-encoding")
            headers = {name: value for name, value in response.getheaders() if name.lower() not in of_connection}
            return response.status, headers, response.read()
        finally:
            connection.close()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def play(emulator, deployment):
    """The emulator has one deployment. Afterwards it is as before."""
    began = time.monotonic()
    [schedule] = emulator.schedules()
    function = schedule["Target"]["Arn"]
    emulator.bucket(BUCKET)
    distribution = emulator.distribution(BUCKET)
    emulator.invalidator("link", BUCKET, distribution, "--function", function, "--via", "function", "--yes")
    proxy = CloudFrontProxy(emulator.url)
    try:
        with not_polled(emulator, schedule), through(emulator, function, proxy) as variables:
            refused(emulator, proxy, variables["QUEUE_URL"], distribution)
            invalidated(emulator, proxy, variables["QUEUE_URL"], distribution)
    finally:
        proxy.stop()
    emulator.invalidator("unlink", BUCKET, "--function", function, "--yes")
    emulator.run("aws", "s3", "rb", "--force", f"s3://{BUCKET}")
    print(
        f"{deployment}: {FILES} changes queued after {proxy.refused.total()} refusals to {len(proxy.refused)} connections, "
        f"and invalidated by one poll, in {time.monotonic() - began:.0f} s"
    )


def refused(emulator, proxy, queue_url, distribution):
    """All changes end in the queue, and the function asks CloudFront rarely."""
    began = time.monotonic()
    s3 = emulator.client("s3")
    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=BUCKET, Key=key, Body=b"x"), keys()))
    found = {}

    def are_queued():
        assert not emulator.invalidations(distribution), "CloudFront accepted an invalidation"
        found.update(records(emulator, queue_url))
        return sum(map(len, found.values())) >= FILES

    until(f"the queue has all {FILES} changes", are_queued)
    assert Counter(key for record_keys in found.values() for key in record_keys) == Counter(keys()), found
    # Each process of the function asks once, and then again when it has not asked for a minute.
    minutes = (time.monotonic() - began) // QUEUE_ONLY_TIME
    assert proxy.refused and max(proxy.refused.values()) <= 1 + minutes, proxy.refused
    assert proxy.refused.total() < FILES / 4, proxy.refused
    assert proxy.created == 0
    # Those that were read to count them.
    until("all messages are visible", lambda: messages(emulator, queue_url) == (len(found), 0))


def invalidated(emulator, proxy, queue_url, distribution):
    """One poll sends one invalidation for all changes."""
    proxy.refuses = False
    emulator.poll()
    assert proxy.created == 1, proxy.created
    [items] = emulator.invalidations(distribution).values()
    assert all(is_covered(url_of(key), items) for key in keys()) and len(items) <= MAX_PATHS, items
    assert messages(emulator, queue_url) == (0, 0)
    sqs = emulator.client("sqs")
    redrive = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    dead_letters = json.loads(redrive)["deadLetterTargetArn"].rsplit(":", 1)[1]
    assert messages(emulator, sqs.get_queue_url(QueueName=dead_letters)["QueueUrl"]) == (0, 0)


def keys():
    return [f"{number % 20:02}/page {number:03}.html" for number in range(FILES)]


def records(emulator, queue_url):
    """The keys in each message that can be received now, by the message's ID."""
    sqs, found = emulator.client("sqs"), {}
    while batch := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=5).get("Messages"):
        for message in batch:
            all_records = json.loads(message["Body"])["Records"]
            found[message["MessageId"]] = [unquote_plus(record["s3"]["object"]["key"]) for record in all_records]
    return found


def messages(emulator, queue_url):
    """The numbers of messages that are visible and in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = emulator.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return tuple(int(attributes[name]) for name in names)


@contextmanager
def not_polled(emulator, schedule):
    """Disables the schedule: a poll would receive the messages that the test counts."""
    scheduler = emulator.client("scheduler")
    names = ["Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target"]
    as_deployed = {name: schedule[name] for name in names}
    scheduler.update_schedule(**as_deployed, State="DISABLED")
    try:
        yield
    finally:
        scheduler.update_schedule(**as_deployed, State=schedule["State"])


@contextmanager
def through(emulator, function, proxy):
    """Gives the function the proxy as its endpoint of CloudFront; yields the function's other environment variables."""
    functions = emulator.client("lambda")
    variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]

    def update(variables):
        functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        is_updated = lambda: functions.get_function_configuration(FunctionName=function)["LastUpdateStatus"] == "Successful"
        until("the function is updated", is_updated)

    update(variables | {"AWS_ENDPOINT_URL_CLOUDFRONT": proxy.url})
    try:
        yield variables
    finally:
        update(variables)
