"""A small learning platform: checks what LTI Advantage has a platform check, answers as the specification words it."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt

CLIENT_ID = "viva-tool"
SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
ACTIVITY = ("Initialized", "Started", "InProgress", "Submitted", "Completed")
GRADING = ("FullyGraded", "Pending", "PendingManual", "Failed", "NotReady")


class Platform:
    """Listens on a free port of this machine until closed.

    Attributes:
        scores: Scores by line item and user, the newest of each.
        requests: Method and path of every request, in order.
        trouble: Answers to give before any real one: status and headers, first come first served.
        allowed: Scopes it grants.
    """

    def __init__(self, keys: dict[str, Any]) -> None:
        self.keys = {key["kid"]: jwt.PyJWK(key).key for key in keys["keys"]}
        self.items: list[dict[str, Any]] = []
        self.scores: dict[tuple[str, str], dict[str, Any]] = {}
        self.posted: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.trouble: list[tuple[int, dict[str, str]]] = []
        self.allowed = {SCOPE + "lineitem", SCOPE + "score"}
        self.tokens: dict[str, set[str]] = {}
        self.seen_jti: set[str] = set()
        self.page_size = 2
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                platform.answer(self, "GET")

            def do_POST(self) -> None:
                platform.answer(self, "POST")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.line_items_url = f"{self.url}/courses/1/line_items"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append((method, request.path))
        path = urlsplit(request.path).path
        if self.trouble and not (path == "/token" and self.trouble[0][1].get("only") == "scores"):
            status, headers = self.trouble.pop(0)
            return self.reply(request, status, {"errors": {"type": "trouble"}}, headers)
        if path == "/token":
            return self.token(request, body)
        scopes = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if scopes is None:
            return self.reply(request, 401, {"error": "invalid_token"}, {"WWW-Authenticate": "Bearer"})
        if path == "/courses/1/line_items":
            if SCOPE + "lineitem" not in scopes:
                return self.reply(request, 403, {"error": "insufficient_scope"})
            return self.list_items(request) if method == "GET" else self.add_item(request, body)
        if path.endswith("/scores") and method == "POST":
            if SCOPE + "score" not in scopes:
                return self.reply(request, 403, {"error": "insufficient_scope"})
            return self.score(request, body)
        return self.reply(request, 404, {"error": "not_found"})

    def token(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if request.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return self.reply(request, 400, {"error": "invalid_request"})
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return self.reply(request, 400, {"error": "unsupported_grant_type"})
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return self.reply(request, 400, {"error": "invalid_request"})
        try:
            said = form["client_assertion"]
            key = self.keys[jwt.get_unverified_header(said)["kid"]]
            required = ["iss", "sub", "aud", "iat", "exp", "jti"]
            claims = jwt.decode(
                said, key, algorithms=["RS256"], audience=f"{self.url}/token", options={"require": required}
            )
            good = claims["iss"] == claims["sub"] == CLIENT_ID and claims["exp"] - claims["iat"] <= 3600
        except (KeyError, jwt.PyJWTError):
            good = False
        if not good or claims["jti"] in self.seen_jti:
            return self.reply(request, 400, {"error": "invalid_client"})
        self.seen_jti.add(claims["jti"])
        granted = set(form.get("scope", "").split()) & self.allowed
        if not granted:
            return self.reply(request, 400, {"error": "invalid_scope"})
        token = f"token-{len(self.tokens)}-{time.time_ns()}"
        self.tokens[token] = granted
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": " ".join(sorted(granted))}
        return self.reply(request, 200, answer)

    def list_items(self, request: BaseHTTPRequestHandler) -> None:
        kind = "application/vnd.ims.lis.v2.lineitemcontainer+json"
        if request.headers.get("Accept") != kind:
            return self.reply(request, 406, {"error": "not_acceptable"})
        query = parse_qs(urlsplit(request.path).query)
        found = [
            i for i in self.items if not query.get("resource_id") or i.get("resourceId") == query["resource_id"][0]
        ]
        start = int(query.get("start", ["0"])[0])
        headers = {"Content-Type": kind}
        if start + self.page_size < len(found):
            headers["Link"] = f'<{self.line_items_url}?start={start + self.page_size}>; rel="next"'
        return self.reply(request, 200, found[start : start + self.page_size], headers)

    def add_item(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if request.headers.get("Content-Type") != "application/vnd.ims.lis.v2.lineitem+json":
            return self.reply(request, 415, {"error": "unsupported_media_type"})
        item = json.loads(body)
        if not item.get("label") or not item.get("scoreMaximum", 0) > 0:
            return self.reply(request, 400, {"error": "invalid_request"})
        # a query in the id, as Moodle has it: /scores must go before it
        item["id"] = f"{self.line_items_url}/{len(self.items) + 1}/lineitem?type_id=7"
        self.items.append(item)
        return self.reply(request, 201, item, {"Content-Type": "application/vnd.ims.lis.v2.lineitem+json"})

    def score(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if request.headers.get("Content-Type") != "application/vnd.ims.lis.v1.score+json":
            return self.reply(request, 415, {"error": "unsupported_media_type"})
        parts = urlsplit(request.path)
        item_id = f"{self.url}{parts.path.removesuffix('/scores')}" + (f"?{parts.query}" if parts.query else "")
        if item_id not in [item["id"] for item in self.items]:
            return self.reply(request, 404, {"error": "not_found"})
        score = json.loads(body)
        self.posted.append(score)
        stamp = score.get("timestamp", "")
        good = (
            {"userId", "scoreGiven", "scoreMaximum", "timestamp", "activityProgress", "gradingProgress"} <= set(score)
            and score["activityProgress"] in ACTIVITY
            and score["gradingProgress"] in GRADING
            and 0 <= score["scoreGiven"]
            and score["scoreMaximum"] > 0
            and datetime.fromisoformat(stamp).tzinfo is not None
            and "." in stamp
        )
        if not good:
            return self.reply(request, 400, {"error": "invalid_request"})
        before = self.scores.get((item_id, score["userId"]))
        if before is not None and datetime.fromisoformat(before["timestamp"]) > datetime.fromisoformat(stamp):
            return self.reply(request, 409, {"error": "conflict"})
        self.scores[item_id, score["userId"]] = score
        return self.reply(request, 200, {"resultUrl": f"{self.line_items_url}/1/results/1"})

    def reply(
        self, request: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None
    ) -> None:
        content = json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
