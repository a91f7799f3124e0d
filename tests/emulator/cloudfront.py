"""CloudFront for scripts/smoke, on the loopback interface: requests go on to the emulator, which has neither quotas nor an edge.

It adds the quotas of CreateInvalidation, the time that an invalidation is in progress, the edge with its cache, the calls that move
messages from a dead-letter queue, and CodePipeline (`codepipeline.py`). It is also the HTTP proxy to S3's control endpoint, whose host
name begins with the account ID.
"""

import http.client
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from codepipeline import CodePipeline
from emulator import is_covered

# Quotas of a distribution. Source: CloudFront developer guide, "Concurrent invalidation request maximum".
MAX_WILDCARDS = 15
MAX_PATHS = 3000

# An invalidation is complete when it is read for this time. It does not depend on the speed of the machine.
READS_IN_PROGRESS = 2

# CreateInvalidation's rate for the account: half a request a second (aws/aws-sdk-js#3983), and how many may come at once.
RATE = 0.5
BURST = 3

NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
INVALIDATION = re.compile(r"/2020-05-31/distribution/([^/]+)/invalidation(?:/([^/]+))?$")


class CloudFront:
    def __init__(self):
        self.lock = threading.Lock()
        self.tokens, self.filled = BURST, time.monotonic()
        # By its ID, how often each invalidation was read, with its distribution and paths.
        self.in_progress = {}
        # The entries of the cache, by distribution and URI.
        self.cache = {}
        self.moves = []
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                double.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def use(self, emulator):
        """The emulator starts after this server, because it needs its URL."""
        self.emulator = emulator
        self.s3, self.cloudfront, self.sqs = (emulator.client(it) for it in ("s3", "cloudfront", "sqs"))
        self.codepipeline = CodePipeline(self.s3)

    def answer(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        invalidation = INVALIDATION.match(request.path)
        action = request.headers.get("X-Amz-Target", "")
        if request.headers.get("Host", "").endswith(".cloudfront.net"):
            status, headers, answer = self.edge(request.headers["Host"], request.path)
        elif action.endswith("MessageMoveTask") or action.endswith("MessageMoveTasks"):
            status, headers, answer = self.move(action, json.loads(body))
        elif action.startswith("CodePipeline_"):
            status, headers, answer = self.json(self.codepipeline.answer(action, json.loads(body)))
        elif invalidation and request.command == "POST":
            status, headers, answer = self.create_invalidation(invalidation[1], request, body)
        else:
            if b"Action=CreateChangeSet" in body:
                body = self.codepipeline.without_pipeline(body)
            status, headers, answer = self.forward(request, body)
            if invalidation and self.is_in_progress(invalidation[2]):
                answer = answer.replace(b"<Status>Completed</Status>", b"<Status>InProgress</Status>")
        request.send_response_only(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def forward(self, request, body):
        # A proxy receives the whole URL.
        url = urlsplit(request.path)
        path = f"{url.path}?{url.query}" if url.query else url.path
        connection = http.client.HTTPConnection(urlsplit(self.emulator.url).netloc, timeout=30)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
            connection.request(request.command, path, body, headers)
            response = connection.getresponse()
            of_connection = ("connection", "content-length", "transfer-encoding")
            headers = {name: value for name, value in response.getheaders() if name.lower() not in of_connection}
            return response.status, headers, response.read()
        finally:
            connection.close()

    def is_in_progress(self, id):
        """Counts that an invalidation is read; whether it is in progress."""
        with self.lock:
            if id not in self.in_progress:
                return False
            self.in_progress[id][0] += 1
            if self.in_progress[id][0] < READS_IN_PROGRESS:
                return True
            del self.in_progress[id]
            return False

    def create_invalidation(self, distribution, request, body):
        items = [it.text for it in ElementTree.fromstring(body).iter(f"{{{NAMESPACE}}}Path")]
        with self.lock:
            refused = self.refusal(distribution, items)
            if refused:
                return error(*refused)
            status, headers, answer = self.forward(request, body)
            if status == 201:
                id = ElementTree.fromstring(answer).findtext(f"{{{NAMESPACE}}}Id")
                self.in_progress[id] = [0, distribution, items]
                self.cache = {key: it for key, it in self.cache.items() if key[0] != distribution or not is_covered(key[1], items)}
            return status, headers, answer.replace(b"<Status>Completed</Status>", b"<Status>InProgress</Status>")

    def refusal(self, distribution, items):
        now = time.monotonic()
        self.tokens, self.filled = min(BURST, self.tokens + (now - self.filled) * RATE), now
        if self.tokens < 1:
            return "Throttling", "Rate exceeded"
        self.tokens -= 1
        known = [path for _, of, paths in self.in_progress.values() if of == distribution for path in paths]
        wildcards = sum(path.endswith("*") for path in known + items)
        if wildcards > MAX_WILDCARDS or len(known + items) - wildcards > MAX_PATHS:
            return "TooManyInvalidationsInProgress", "Your request exceeds the maximum number of paths in progress."
        return None

    def edge(self, domain, path):
        """A viewer's GET request."""
        listed = self.cloudfront.list_distributions()["DistributionList"].get("Items", [])
        distribution = next((it for it in listed if it["DomainName"] == domain), None)
        if not distribution or not distribution["Enabled"]:
            return 403, {}, b"no such distribution"
        uri = rewritten(distribution, path)
        key = distribution["Id"], uri
        if key in self.cache:
            return 200, {"X-Cache": "Hit from cloudfront"}, self.cache[key]
        bucket = distribution["Origins"]["Items"][0]["DomainName"].split(".s3.")[0]
        # S3 reads a raw + as a space.
        object_key = unquote(uri.replace("+", " "))[1:] or distribution.get("DefaultRootObject", "index.html")
        try:
            body = self.s3.get_object(Bucket=bucket, Key=object_key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return 404, {"X-Cache": "Error from cloudfront"}, b"NoSuchKey"
        self.cache[key] = body
        return 200, {"X-Cache": "Miss from cloudfront"}, body

    def move(self, action, request):
        """Moves messages that were sent to the dead-letter queue directly: SQS does not know where they came from."""
        if action.endswith("ListMessageMoveTasks"):
            return self.json({"Results": self.moves[::-1]})
        task = {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 0}
        self.moves.append(task)
        if "DestinationArn" not in request:
            task |= {"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"}
            return self.json({"TaskHandle": str(len(self.moves))})
        url = lambda arn: self.sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
        source, destination = url(request["SourceArn"]), url(request["DestinationArn"])
        for message in self.sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10).get("Messages", []):
            self.sqs.send_message(QueueUrl=destination, MessageBody=message["Body"])
            self.sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
            task["ApproximateNumberOfMessagesMoved"] += 1
        return self.json({"TaskHandle": str(len(self.moves))})

    def json(self, value):
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(value).encode()


def rewritten(distribution, path):
    """The URI after the function of scripts/smoke, which runs at viewer-request for the paths of the second behavior."""
    for behavior in distribution.get("CacheBehaviors", {}).get("Items", []):
        if path.startswith(behavior["PathPattern"].removesuffix("*")) and behavior["FunctionAssociations"]["Items"] and path.endswith("/"):
            return f"{path}index.html"
    return path


def error(code, message):
    text = f'<?xml version="1.0"?>\n<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
    text += f"<Message>{message}</Message></Error><RequestId>8f507cfc-6c55-4697-b07a-ac58fc914c95</RequestId></ErrorResponse>"
    return 400, {"Content-Type": "text/xml"}, text.encode()
