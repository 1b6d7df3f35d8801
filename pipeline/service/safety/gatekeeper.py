"""What every request passes before anything of its body is read: host, key, rate, a free place; and what every answer gets."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.service.desk import Desk
from pipeline.service.problems import Problem
from pipeline.service.running import logs, metrics
from pipeline.service.safety.keys import Keys
from pipeline.service.safety.rate import Rate
from pipeline.service.safety.uploads import BoundedBody, Budget
from pipeline.service.settings import LOOPBACK, ServiceSettings

# Asked without a key: what an orchestrator asks, and what a browser shows before a key is typed in.
OPEN = ("/", "/health", "/ready", "/docs", "/openapi.json")
OPEN_BELOW = ("/page/static/", "/page/examples/")
# Pages that a browser loads by their address, where no script can add a header: there it asks for the key itself, as a password.
BROWSED = "/runs"
# Asked every few seconds by whoever watches: counted, and not logged.
UNTOLD = ("/health", "/ready", "/metrics")
# Wrong keys a minute and address, beyond which none is looked at.
WRONG_KEYS = 30.0
HEADERS = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}  # fmt: skip
REQUEST_ID = "X-Request-ID"
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


# How a refusal of a request is sent, by the request's scope and id.
Told = Callable[[Scope, Problem, str], ASGIApp]


class Gatekeeper:
    """The outermost part of the application. What goes wrong within becomes a problem document here, and a line in the log."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, keys: Keys | None, desk: Desk, told: Told) -> None:
        self._told = told
        self._app, self._keys, self._desk, self._limits = app, keys, desk, settings.limits
        self._hosts = {name.lower() for name in (*LOOPBACK, settings.host, *settings.hosts)}
        self._rate, self._wrong = Rate(settings.rate), Rate(WRONG_KEYS)
        self.budget = Budget(settings.limits.memory_mb * (1 << 20))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, request_id, status = monotonic(), secrets.token_hex(8), 0
        scope.setdefault("state", {})["request_id"] = request_id
        body: BoundedBody | None = None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            headers = Headers(scope=scope)
            self._check(scope, headers)
            body = BoundedBody(receive, headers, self._limits, self.budget)
            await self._app(scope, body.receive, sending)
        except HTTPException as refused:
            await self._refuse(scope, receive, sending, refused, request_id, started=bool(status))
        except Exception as bug:
            logs.tell_bug("bug", bug, request_id=request_id)
            fault = Problem(500, "bug", "The service failed over this request.", "Tell whoever runs it the request's id.")
            await self._refuse(scope, receive, sending, fault, request_id, started=bool(status))
        finally:
            self._tell(scope, status, began, body, request_id)

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Raise Problem: 400 another host, 401 no key or a wrong one, 429 too often, 503 no free place."""
        host = headers.get("host", "")
        if not self._is_known(host):
            raise Problem(400, "unknown-host", "The service is not called so.", "Whoever runs it adds names with --allow-host.")
        client = (scope.get("client") or ("", 0))[0]
        name = self._named(scope, headers, client)
        scope["state"]["key"] = name
        if not _is_open(scope):
            self._hold(self._rate, name or client, "too-often", "More requests than one client may make.")
        if scope["method"] in WITH_BODY:
            self._desk.admit()

    def _is_known(self, host: str) -> bool:
        """A name that is allowed, or a bare address, which no page elsewhere can have been resolved to."""
        name = host.rsplit(":", 1)[0] if host.count(":") == 1 or host.startswith("[") and "]:" in host else host
        name = name.strip("[]").lower()
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _named(self, scope: Scope, headers: Headers, client: str) -> str | None:
        """Whose key it is; None where no keys are asked for."""
        if self._keys is None or _is_open(scope):
            return None
        is_browsed = _is_browsed(scope, headers)
        key = _key_in(headers, is_browsed)
        if self._wrong.tokens(client) < 1:
            self._hold(self._wrong, client, "too-often", "Too many wrong keys.")
        name = self._keys.name_of(key) if key else None
        if name is None:
            self._wrong.wait_s(client)
            detail = "The key is wrong." if key else "A key is needed."
            told = 'Basic realm="the key is the password", charset="UTF-8"' if is_browsed else "Bearer"
            raise Problem(401, "key", detail, "Send it as Authorization: Bearer KEY.", {"WWW-Authenticate": told})
        return name

    def _hold(self, rate: Rate, client: str, kind: str, detail: str) -> None:
        wait = rate.wait_s(client)
        if wait:
            raise Problem(429, kind, detail, "Try again after Retry-After seconds.", {"Retry-After": str(int(wait) + 1)})

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, refused: HTTPException, request_id: str, *, started: bool
    ) -> None:  # fmt: skip
        if started:
            return  # half an answer is out already: the server ends the connection
        problem = refused if isinstance(refused, Problem) else Problem(refused.status_code, "http", str(refused.detail))
        await self._told(scope, problem, request_id)(scope, receive, send)

    def _tell(self, scope: Scope, status: int, began: float, body: BoundedBody | None, request_id: str) -> None:
        route = getattr(scope.get("route"), "path", "other")
        seconds, size = monotonic() - began, body.bytes if body is not None else 0
        if body is not None:
            body.forget()
        metrics.REQUESTS.labels(route, status).inc()
        metrics.SECONDS.labels(route).observe(seconds)
        metrics.BYTES.inc(size)
        if route in UNTOLD:
            return
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        logs.tell("request", request_id=request_id, method=method, route=route, status=status, bytes=size,
                  ms=round(1000 * seconds, 1), key=scope["state"].get("key"))  # fmt: skip


def _is_open(scope: Scope) -> bool:
    """What is asked about a scan is a POST, and never open."""
    return scope["method"] not in WITH_BODY and (scope["path"] in OPEN or scope["path"].startswith(OPEN_BELOW))


def _is_browsed(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asks by itself: for a page of runs, or with the page's plain form, that no other page sent for it."""
    form = scope["path"] == "/" and headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return form or f"{scope['path']}/".startswith(f"{BROWSED}/")


def _key_in(headers: Headers, is_browsed: bool) -> str:
    """The key that is sent; "" for none. As a password it is taken of pages alone, which change nothing: a browser sends it by
    itself, whoever made it ask."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if scheme.lower() == "basic" and is_browsed:
        with suppress(ValueError):
            return base64.b64decode(token.strip(), validate=True).decode("utf-8").partition(":")[2]
    return headers.get("x-api-key", "")


def request_id_of(request: Request) -> str:
    """The id that the answer and the log have."""
    return str(request.state.request_id)
