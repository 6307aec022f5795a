"""Who may send requests: API keys, host names, origins. Also the headers of all responses."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textgen.serving.http.errors import ApiError

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
# What needs no key: probes, and pages that hold no data.
_OPEN_PATHS = ("/", "/health", "/docs", "/openapi.json")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@dataclass(frozen=True)
class Access:
    """Who may send requests.

    Attributes:
        api_keys: Keys, any of which opens the API. If empty, the API is open.
        hosts: Names that the Host header may have; empty allows any. On the loopback interface,
            its own names keep out web pages whose host name was pointed to it (DNS rebinding).
        origins: Web pages of other origins that may call the API.
    """

    api_keys: Sequence[str] = ()
    hosts: Sequence[str] = LOOPBACK_HOSTS
    origins: Sequence[str] = ()


class SecurityMiddleware:
    """Refuses requests that may not pass, and adds headers to all responses.

    Args:
        app: The application.
        access: Who may send requests.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._keys = [key.encode("utf-8") for key in access.api_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        error = self._refusal(scope, Headers(scope=scope))
        if error is None:
            await self._app(scope, receive, send_with_headers)
        else:
            response = JSONResponse(error.to_dict(), error.status, error.headers)
            await response(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> ApiError | None:
        host = _host_name(headers.get("host", ""))
        if self._access.hosts and host not in self._access.hosts:
            return ApiError(403, "This host name is not among those that the server allows")
        origin = headers.get("origin")
        if origin is not None and not self._is_allowed(origin, headers.get("host", "")):
            return ApiError(403, "Pages of this origin may not call the server")
        if self._keys and scope["path"] not in _OPEN_PATHS and not self._has_key(headers):
            message = "An API key is needed: Authorization: Bearer KEY"
            challenge = {"WWW-Authenticate": "Bearer"}
            return ApiError(401, message, code="invalid_api_key", headers=challenge)
        return None

    def _is_allowed(self, origin: str, host: str) -> bool:
        return origin.partition("://")[2] == host or any(
            allowed in ("*", origin) for allowed in self._access.origins
        )

    def _has_key(self, headers: Headers) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            given = headers.get("x-api-key", "")
        # Every key is compared, in constant time, so that the time says nothing about them.
        matches = [hmac.compare_digest(given.strip().encode("utf-8"), key) for key in self._keys]
        return any(matches)


def _host_name(host: str) -> str:
    """Return a Host header's name without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
