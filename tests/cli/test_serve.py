"""`textgen serve` as a program: it announces itself, answers, and ends on a signal."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.waiting import PATIENCE


@pytest.fixture
def start(exported_models):
    """Start a server and return its process and URL."""
    processes = []

    def run(*arguments):
        folder = exported_models["transformer"].path.parents[1]
        command = [sys.executable, "-m", "textgen.cli", "serve", "--port", "0", *arguments]
        process = subprocess.Popen(
            [*command, "--models-dir", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        processes.append(process)
        line = process.stdout.readline()
        assert line.startswith("Serving "), line + process.stderr.read()
        return process, line.split(" on ")[1].split()[0]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def ask(url, key=None):
    request = urllib.request.Request(
        f"{url}/v1/completions", json.dumps({"prompt": "a", "max_tokens": 5}).encode()
    )
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_a_signal_ends_it_with_one_line(start, number):
    process, url = start("transformer")
    assert ask(url)["usage"]["completion_tokens"] == 5
    process.send_signal(number)
    shown, said = process.communicate(timeout=PATIENCE)
    assert (shown.strip(), said, process.returncode) == ("Stopped.", "", 0)


def test_a_running_request_completes_after_sigterm(start):
    process, url = start("transformer", "--grace", "5m")
    body = {"prompt": "a", "max_tokens": 2000, "stream": True, "seed": 1}
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        first = response.readline()
        process.send_signal(signal.SIGTERM)
        assert first.startswith(b"data: ")
        assert response.read().endswith(b"data: [DONE]\n\n")
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_keys_come_from_a_file(start, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# ours\nsecret\n", "utf-8")
    keys.chmod(0o600)
    _, url = start("lstm", "--api-key-file", str(keys))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(url)
    assert ask(url, "secret")["model"] == "lstm"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_it_speaks_tls(start, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    _, url = start("lstm", "--certfile", str(certificate), "--keyfile", str(key))
    assert url.startswith("https://127.0.0.1:")
    trusting = ssl.create_default_context(cafile=certificate)
    with urllib.request.urlopen(f"{url}/health", timeout=PATIENCE, context=trusting) as response:
        assert json.load(response)["status"] == "ok"
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{url}/health", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--certfile", __file__, "--keyfile", __file__], "must be a certificate and its key"),
        (["--host", "0.0.0.0"], "--api-key-file"),
        (["--certfile", __file__], "must be given together"),
        (["--reload", "never"], "must be a duration"),
    ],
)
def test_wrong_commands_are_refused(run, arguments, message):
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_folder_without_models_is_an_error(run, tmp_path):
    result = run("serve", "--models-dir", tmp_path)
    assert result.exit_code == 1
    assert "no model" in result.output


def test_a_port_in_use_is_one_sentence(run, exported_models):
    folder = exported_models["transformer"].path.parents[1]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "lstm", "--port", port, "--models-dir", folder)
    assert result.exit_code == 1
    assert "Address already in use" in result.output
