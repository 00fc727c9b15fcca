"""Add security headers to every response, and remove those that say what the server is.

Change HEADERS, SECURE_HEADERS and REMOVED to what your site needs. A response that has a header already, from
the extension that made it, keeps its own. The headers of SECURE_HEADERS go out over TLS only.
"""

from __future__ import annotations

from pyisapi.filters import Filter, Response

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

# Browsers ignore it over plain HTTP, where anybody on the way could have put it in.
SECURE_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}

REMOVED = ["Server", "X-Powered-By"]


class ResponseHeaders(Filter):
    """Adds and removes response headers."""

    # Among the filters called last, so that it sees what the others have set.
    priority = "low"

    def on_response(self, response: Response) -> None:
        """Complete the headers of one response."""
        wanted = HEADERS | SECURE_HEADERS if response.is_secure else HEADERS
        for name, value in wanted.items():
            if name not in response.headers:
                response.headers[name] = value
        for name in REMOVED:
            if name in response.headers:
                del response.headers[name]


def __FilterFactory__() -> ResponseHeaders:
    return ResponseHeaders()
