"""The server that `desertseg ui` starts, asked by hand: what it hands out, what it refuses, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
FILE = {"meta": {"_type": "gradio.FileData"}}


def ask(address: str, content: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Return (status, body) of a request."""
    request = urllib.request.Request(address, content, {name.replace("_", "-"): v for name, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def upload(server: Any, name: str, content: bytes) -> tuple[int, bytes]:
    edge = uuid.uuid4().hex
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
    return ask(f"{server.address}/gradio_api/upload", body, Content_Type=f"multipart/form-data; boundary={edge}")


def wish(server: Any, path: str) -> tuple[int, str]:
    """Return (status, what came of it) of giving the page a path as if it were an upload."""
    config = json.loads(ask(f"{server.address}/config")[1])
    files = {c["id"] for c in config["components"] if c["type"] == "file"}
    number, function = next((i, d) for i, d in enumerate(config["dependencies"]) if files & set(d["inputs"]))
    data = [FILE | {"path": path} if i in files else None for i in function["inputs"]]
    session = uuid.uuid4().hex
    body = json.dumps({"data": data, "fn_index": number, "session_hash": session}).encode()
    status, answer = ask(f"{server.address}/gradio_api/queue/join", body, Content_Type="application/json")
    if status != 200:
        return status, answer.decode()
    return status, ask(f"{server.address}/gradio_api/queue/data?session_hash={session}")[1].decode()


@pytest.mark.parametrize("form", ["{}", "../../../../../../../..{}", "%2e%2e/%2e%2e/%2e%2e{}", "./{}", "//{}"])
@pytest.mark.parametrize("kind", ["passwd", "frame", "model"])
def test_no_file_is_handed_out(server: Any, data: Path, kind: str, form: str) -> None:
    paths = {
        "passwd": Path("/etc/passwd"),
        "frame": data / "val" / "Color_Images" / "a0.png",
        "model": server.folder / "run" / "best.keras",
    }
    content = paths[kind].read_bytes()
    for route in ("gradio_api/file=", "file=", "gradio_api/file/", "static/", "assets/", "svelte/"):
        status, body = ask(f"{server.address}/{route}{form.format(paths[kind])}")
        assert status != 200 or content not in body
        assert content[:40] not in body


def test_an_upload_can_be_had_again_and_its_neighbours_cannot(server: Any) -> None:
    status, answer = upload(server, "a.txt", b"mine")
    assert status == 200
    (path,) = json.loads(answer)
    assert ask(f"{server.address}/gradio_api/file={urllib.parse.quote(path)}") == (200, b"mine")
    uploads = Path(path).parents[1]
    secret = uploads.parent / "scratch" / "secret.txt"
    secret.write_text("secret")
    for address in (str(secret), f"{uploads}/../scratch/secret.txt"):
        status, body = ask(f"{server.address}/gradio_api/file={urllib.parse.quote(address)}")
        assert status in (403, 404)
        assert b"secret" not in body.replace(b"secret.txt", b"")


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ"])
def test_a_path_is_no_upload(server: Any, path: str) -> None:
    status, told = wish(server, path)
    assert status == 200
    assert '"success":false' in told.replace(" ", "")
    assert "root:" not in told


@pytest.mark.parametrize("path", ["http://127.0.0.1:1/x.png", "https://example.org/x.png"])
def test_an_address_is_no_upload(server: Any, path: str) -> None:
    assert wish(server, path)[0] == 403
    assert ask(f"{server.address}/gradio_api/file={path}")[0] == 403
    assert ask(f"{server.address}/gradio_api/proxy={path}")[0] == 403


def test_a_name_that_climbs_stays_among_the_uploads(server: Any) -> None:
    status, answer = upload(server, "../../../evil.txt", b"x")
    if status == 200:
        (path,) = json.loads(answer)
        assert "uploads" in Path(path).resolve().parts
    assert not list(server.folder.glob("evil*"))


def test_a_file_over_the_limit_is_refused(server: Any) -> None:
    assert upload(server, "big.bin", bytes(2 * 2**20 - 4096))[0] == 200
    assert upload(server, "big.bin", bytes(3 * 2**20))[0] == 413


def test_another_name_for_this_machine_opens_nothing(server: Any) -> None:
    assert ask(server.address, Host="evil.example")[0] == 400
    assert ask(server.address)[0] == 200


def test_it_listens_on_this_machine_alone(server: Any) -> None:
    port = int(server.address.rpartition(":")[2])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    hosts = {
        words[1].split(":")[0] for words in listening if words[3] == "0A" and int(words[1].split(":")[1], 16) == port
    }
    assert hosts == {"0100007F"}


def test_a_port_that_is_taken_is_one_line(server: Any, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    command = [sys.executable, "-c", "from desertseg.cli.main import main; main()", "ui", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"desertseg: 127.0.0.1 gives no port {port}: ")
    assert len(done.stderr.splitlines()) == 1


def test_other_addresses_are_warned_of_and_sigterm_ends_it(
    start_server: Callable[..., Any], models: Path, tmp_path: Path
) -> None:
    served = start_server(tmp_path, "--model", models / "good.keras", "--host", "0.0.0.0")
    try:
        assert "warning: bound to 0.0.0.0, so whoever reaches this machine" in served.log.read_text()
    finally:
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(30)
    assert served.process.returncode == 0
    assert not list(tmp_path.glob("desertseg-ui-*"))


def test_a_data_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from desertseg.cli.main import main; main()",
        "ui",
        "--data",
        str(tmp_path / "no"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"desertseg: data folder {tmp_path / 'no'} does not exist or may not be read; check the path"
    ]
