"""An operator of goosebit: operator.py URL DEVICE [TOKEN BUNDLE]

Makes the device with its token, and assigns the bundle to it. goosebit takes what SWUpdate
does, and looks at the content alone: a file that is an archive (cpio, newc) with a
sw-description may be called .tope. The one made here is written to BUNDLE first.

Without TOKEN and BUNDLE, what is assigned to the device is offered to it once more.
"""

import os
import sys

import httpx

url, device, *new = sys.argv[1:]


def member(number: int, name: str, body: bytes) -> bytes:
    fields = [number, 0o100644 if number else 0, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + body + bytes(-len(body) % 4)


def archive() -> bytes:
    description = b'software = {\n version = "1.2.0";\n hardware-compatibility: [ "default" ];\n images: ( );\n};\n'
    return member(1, "sw-description", description) + member(2, "payload", os.urandom(300_000)) + member(0, "TRAILER!!!", b"")


with httpx.Client(base_url=url, timeout=120, trust_env=False) as web:

    def ask(method: str, path: str, **what: object) -> dict:
        answer = web.request(method, path, **what)
        if answer.status_code != 200:
            sys.exit(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    account = {"username": "admin@example.com", "password": "secret123"}
    web.headers["Authorization"] = "Bearer " + ask("POST", "/setup" if new else "/login", data=account)["access_token"]
    if not new:
        ask("PATCH", "/api/v1/devices", json={"devices": [device], "force_update": True})
        sys.exit()
    token, bundle = new
    with open(bundle, "wb") as file:
        file.write(archive())
    with open(bundle, "rb") as file:
        software = ask("PUT", "/api/v1/software", files={"file": ("app-1.2.0.tope", file)})["id"]
    rollout = ask("PUT", "/api/v1/rollouts", json={"name": "r", "feed": "default", "software_id": software})["id"]
    ask("PATCH", "/api/v1/rollouts", json={"ids": [rollout], "paused": False})
    ask("PUT", "/api/v1/devices", json={"devices": [device], "feed": "default", "auth_token": token})
