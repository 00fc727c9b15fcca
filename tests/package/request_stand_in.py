"""A plain object with the methods of a control block that the request and response helpers use."""

from __future__ import annotations


class Request:
    """One request: the body is `available` and then `rest`; `total` -1 says that its length is unknown."""

    def __init__(
        self,
        body: bytes = b"",
        *,
        available: int = 0,
        total: int | None = None,
        content_type: str = "",
        raw_headers: bytes = b"",
        query: bytes = b"",
    ) -> None:
        self.AvailableData, self.rest = body[:available], body[available:]
        self.TotalBytes = len(body) if total is None else total
        self.ContentType = content_type.encode()
        self.QueryString = query
        self.PathInfo = b"/caf\xc3\xa9 \xff"
        self.Method = b"GET"
        self.variables: dict[str, object] = {"ALL_RAW": raw_headers}
        self.asked: list[int] = []
        self.heads: list[tuple[str, bytes, int]] = []
        self.written: list[bytes] = []
        self.takes_at_most: int | None = None
        self.error: Exception | None = None
        self.read_error: Exception | None = None

    def ReadClient(self, n: int, /) -> bytes:
        self.asked.append(n)
        if self.read_error:
            raise self.read_error
        block, self.rest = self.rest[:n], self.rest[n:]
        return block

    def GetServerVariable(self, name: str, default: bytes | None, /) -> object:
        return self.variables.get(name, default)

    def SendResponseHeaders(self, status: str, headers: bytes, keep_alive: int, /) -> None:
        self.heads.append((status, headers, keep_alive))

    def WriteClient(self, data: bytes, /) -> int:
        if self.error:
            raise self.error
        self.written.append(data[: self.takes_at_most])
        return len(self.written[-1])
