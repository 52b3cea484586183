"""The cache that huggingface_hub makes: what it downloads from a server that answers as the Hub does, as a tree.

Needs PyPI's huggingface_hub (made with 0.23.5): python test/oracle/hub_cache.py
"""

import base64
import hashlib
import json
import os
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPO = "owner/tiny-net.a1_in1k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "model.safetensors": bytes((i * 31 + i // 7) & 255 for i in range(3000)),
    "config.json": b'{"architecture": "tiny", "num_classes": 2, "label_names": ["cat", "dog"]}\n',
}
LARGE = {"model.safetensors"}
ABSENT = "preprocessor_config.json"


def etag(name):
    body = FILES[name]
    if name in LARGE:
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


class Hub(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, with_body):
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        body = FILES.get(name)
        self.send_response(200 if body is not None else 404)
        self.send_header("X-Repo-Commit", COMMIT)
        if body is None:
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
        else:
            self.send_header("X-Linked-Etag" if name in LARGE else "ETag", f'"{etag(name)}"')
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body and body is not None:
            self.wfile.write(body)

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)


def tree(root):
    """Path → {"link": target} or {"text": content}; blobs by their sha256, locks left out."""
    entries = {}
    for path in sorted(Path(root).rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith(".locks") or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink():
            entries[name] = {"link": os.readlink(path)}
        elif "/blobs/" in name:
            entries[name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        else:
            entries[name] = {"text": path.read_text()}
    return entries


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    import huggingface_hub
    from huggingface_hub.utils import EntryNotFoundError

    with tempfile.TemporaryDirectory() as cache:
        options = {
            "cache_dir": cache,
            "endpoint": f"http://127.0.0.1:{server.server_port}",
            "token": False,
        }
        for name in FILES:
            huggingface_hub.hf_hub_download(REPO, name, **options)
        try:
            huggingface_hub.hf_hub_download(REPO, ABSENT, **options)
        except EntryNotFoundError:
            pass
        entries = tree(cache)
    fixture = {
        "about": f"python test/oracle/hub_cache.py, huggingface_hub {huggingface_hub.__version__}",
        "repo": REPO,
        "commit": COMMIT,
        "files": {
            name: {"base64": base64.b64encode(body).decode(), "large": name in LARGE}
            for name, body in FILES.items()
        },
        "absent": ABSENT,
        "tree": entries,
    }
    target = Path(__file__).parent.parent / "fixtures" / "hub-cache.json"
    target.write_text(json.dumps(fixture, indent=1) + "\n")
    print(f"{target}: {len(entries)} entries")


if __name__ == "__main__":
    main()
