"""Runs the AWS CLI and other commands for scripts/smoke. Their output is returned, never printed: it may contain account IDs."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time

# Multiplies every pause, but not the deadlines. Only tests set it: an emulator answers at once.
WAIT_FACTOR = float(os.environ.get("SMOKE_WAIT_FACTOR", "1"))

ERROR = re.compile(
    r"An error occurred \((?P<code>[^)]+)\) when calling the (?P<operation>\w+) operation"
    r"(?: \(reached max retries: \d+\))?: (?P<message>.*)",
    re.DOTALL,
)
# urllib3's log line of a response, in the output of --debug.
RESPONSE = re.compile(r'"[A-Z]+ \S+ HTTP/1\.[01]" (\d{3})')


class AwsError(Exception):
    """A command failed. `code` is the error code of AWS, or empty if AWS did not answer."""

    def __init__(self, operation, code, message):
        super().__init__(f"{operation}: {code + ': ' if code else ''}{message}")
        self.operation, self.code, self.message = operation, code, message


class Aws:
    """The commands of one run. `lock` is a file descriptor that every command inherits: while one runs, the lock is held."""

    def __init__(self, lock):
        self.lock = lock
        # Version 2 of the CLI pages its output.
        self.environment = os.environ | {"AWS_PAGER": ""}

    def __call__(self, service, operation, *arguments, **environment):
        """The JSON that the AWS CLI prints; an empty object if it prints nothing. Raises `AwsError`."""
        command = ["aws", service, operation, *arguments, *endpoint(service)]
        status, output, errors = self.execute([*command, "--output", "json"], environment)
        if status != 0:
            raise error_of(f"aws {service} {operation}", errors)
        return json.loads(output) if output.strip().startswith("{") else {}

    def region(self):
        """The configured Region, also for all later commands."""
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        region = region or self.run("aws", "configure", "get", "region").strip()
        self.environment |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        return region

    def run(self, *command):
        """What a command printed. Raises `AwsError`."""
        status, output, errors = self.execute(command, {})
        if status != 0:
            raise error_of(os.path.basename(command[0]), errors or output)
        return output

    def status_of(self, service, operation, *arguments):
        """One attempt: the HTTP status (0 if unknown), the CLI's JSON, and the error or `None`."""
        command = ["aws", service, operation, *arguments, "--output", "json", "--debug"]
        # The debug output contains signed headers. Nothing but the status is taken from it.
        status, output, errors = self.execute(command, {"AWS_MAX_ATTEMPTS": "1"})
        found = RESPONSE.findall(errors)
        http_status = int(found[-1]) if found else 0
        if status == 0:
            return http_status, json.loads(output), None
        # The CLI prints the error last.
        return http_status, {}, error_of(f"aws {service} {operation}", errors[errors.rfind("An error occurred (") :])

    def execute(self, command, environment):
        # In a session of its own, a command does not receive the terminal's interrupt: only this script decides when it ends.
        process = subprocess.Popen(
            command,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            pass_fds=(self.lock,),
        )
        try:
            output, errors = process.communicate()
        except BaseException:
            # The command may have ended meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        return process.returncode, output, errors


def endpoint(service):
    # Version 1 of the CLI ignores AWS_ENDPOINT_URL for SQS.
    url = os.environ.get("AWS_ENDPOINT_URL_SQS") or os.environ.get("AWS_ENDPOINT_URL")
    return ["--endpoint-url", url] if service == "sqs" and url else []


def error_of(command, errors):
    found = ERROR.search(errors)
    if found:
        return AwsError(found["operation"], found["code"], found["message"].strip())
    lines = [line.strip() for line in errors.strip().splitlines() if line.strip()]
    return AwsError(command, "", " ".join(lines[-3:]))


def pause(seconds):
    time.sleep(seconds * WAIT_FACTOR)


def until(is_so, seconds, interval=5):
    """Waits at most `seconds`; the first true result of `is_so`, or `None`."""
    deadline = time.monotonic() + seconds
    while not (result := is_so()):
        if time.monotonic() > deadline:
            return None
        time.sleep(max(1.0, interval * WAIT_FACTOR))
    return result
