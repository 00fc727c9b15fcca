"""Where the server reads a request of gunicorn's corpus differently, and why that is right here.

The outcome is what the extension saw (method, target, body) and the statuses of the answers; `closed` is a connection
closed without an answer. docs/hostile-input.md has the same table for people who read.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """What the server does with a sample, and why."""

    outcome: str
    reason: str


FRAGMENT = "a target has no fragment (RFC 9112, 3.2); it is dropped"
QUOTES = "a raw quotation mark in a query is no URI; clients escape it"
LONG_PATH = "a path longer than maxUrl, 4096 bytes, is 404.14"
SPACE = "a blank before the colon is refused (RFC 9112, 5.1); gunicorn reads it only when told to"
CASE = "methods are case-sensitive (RFC 9110, 9.1); gunicorn folds them only when told to"
UNDERSCORE = "names with an underscore are fields like others, as in IIS; they frame nothing"
CODINGS = "no coding but `chunked` is undone, so others are refused (RFC 9112, 6.1)"
SHORT_BODY = "the sample ends before its Content-Length; a body broken off is refused"
FOLDING = "a folded field is refused (RFC 9112, 5.2); gunicorn reads it only when told to"
PROXY = "the PROXY protocol is not spoken; gunicorn does so only when told to"
ABSOLUTE = "extensions see the origin form of an absolute target"
ASTERISK = "OPTIONS * is not served: it belongs to no application"
USER = "a user in an address is an error (RFC 9110, 4.2.4)"
CONNECT = "CONNECT is refused: this is no proxy"
TOKEN = "any token is a method (RFC 9110, 9.1)"
SETTING = "gunicorn refuses because of a setting of its own; here a head may have 64 KiB and 100 fields"
FIELD_SIZE = "a field may be longer than gunicorn's 8190 bytes: a head may have 64 KiB"
FORWARDED = "X-Forwarded-* means nothing to the server"
TYPES = "two Content-Types frame nothing; the extension sees both"
CHUNK_BLANK = "a blank behind a chunk's size is read over; it cannot change the size"
TRAILERS = "all trailers are dropped, so none can matter"
BARE_LF = "a bare LF may end a line of the head (RFC 9112, 2.2); a bare CR may not"
EMPTY_LINES = "empty lines before a request are read over"
BOTH_LENGTHS = "chunks win over a Content-Length, which is dropped, and the connection ends (RFC 9112, 6.1)"
RAW_UTF8 = "UTF-8 that is not escaped is let through, as allowHighBitCharacters of IIS does"

DIFFERENCES: dict[tuple[str, str], Difference] = {
    ("valid", "005"): Difference("GET /forums/1/topics/2375?page=1; 200", FRAGMENT),
    ("valid", "014"): Difference("400", QUOTES),
    ("valid", "024"): Difference("404", LONG_PATH),
    ("valid", "025"): Difference("501", CODINGS),
    ("valid", "025_line"): Difference("501", CODINGS),
    ("valid", "028"): Difference("400", SPACE),
    ("valid", "031compat"): Difference("-blargh /foo; 200", CASE),
    ("valid", "040"): Difference("GET /keep/same/as?invalid/040 tricked; 200", UNDERSCORE),
    ("valid", "099"): Difference("400", SHORT_BODY),
    ("valid", "compat_obs_fold"): Difference("400", FOLDING),
    ("valid", "compat_obs_fold_huge"): Difference("400", FOLDING),
    ("valid", "pp_01"): Difference("400", PROXY),
    ("valid", "pp_02"): Difference("400", PROXY),
    ("valid", "pp_04"): Difference("400", PROXY),
    ("valid", "pp_05"): Difference("400", PROXY),
    ("valid", "rfc9112_smuggle_gzip_chunked_01"): Difference("501", CODINGS),
    ("valid", "rfc9112_target_absolute_01"): Difference("GET /foo?q=1; 200", ABSOLUTE),
    ("valid", "rfc9112_target_absolute_https_01"): Difference("GET /foo; 200", ABSOLUTE),
    ("valid", "rfc9112_target_absolute_ipv6_01"): Difference("GET /foo; 200", ABSOLUTE),
    ("valid", "rfc9112_target_absolute_userinfo_01"): Difference("400", USER),
    ("valid", "rfc9112_target_asterisk_options_01"): Difference("400", ASTERISK),
    ("valid", "rfc9112_target_authority_connect_01"): Difference("405", CONNECT),
    ("valid", "rfc9112_target_authority_ipv6_01"): Difference("405", CONNECT),
    ("invalid", "003c"): Difference("-bl /foo; 200", TOKEN),
    ("invalid", "007"): Difference('PUT /stuff/here?foo=bar {"nom": "nom"}; 200', FIELD_SIZE),
    ("invalid", "008"): Difference("PUT /stuff/here?foo=bar; 200", FIELD_SIZE),
    ("invalid", "010"): Difference("GET /test; 200", SETTING),
    ("invalid", "011"): Difference("GET /test; 200", SETTING),
    ("invalid", "012"): Difference("GET /test; 200", SETTING),
    ("invalid", "017"): Difference("GET /test; 200", FIELD_SIZE),
    ("invalid", "019"): Difference("GET /test; 200", FORWARDED),
    ("invalid", "040"): Difference("GET /keep/same/as?invalid/040 tricked; 200", UNDERSCORE),
    ("invalid", "041"): Difference("GET /stuff/here?foo=bar; 200", TYPES),
    ("invalid", "chunked_07"): Difference(
        "POST /chunked_ambiguous_header_mapping hello world; 200", UNDERSCORE
    ),
    ("invalid", "chunked_09"): Difference("POST /chunked_ows_without_ext hello; 200", CHUNK_BLANK),
    ("invalid", "limit_header_default_01"): Difference("GET /; 200", FIELD_SIZE),
    ("invalid", "rfc9110_trailer_forbidden_cl_01"): Difference("POST /p hello; 200", TRAILERS),
    ("invalid", "rfc9110_trailer_forbidden_host_01"): Difference("POST /p hello; 200", TRAILERS),
    ("invalid", "rfc9110_trailer_forbidden_te_01"): Difference("POST /p hello; 200", TRAILERS),
    ("invalid", "rfc9112_bare_lf_01"): Difference("GET /; 200", BARE_LF),
    ("invalid", "rfc9112_leading_crlf_02"): Difference("GET /; 200", EMPTY_LINES),
    ("invalid", "rfc9112_smuggle_cl_te_chunked_01"): Difference("POST /p; 200", BOTH_LENGTHS),
    ("invalid", "rfc9112_target_non_ascii_02"): Difference("GET /\u00c3\u00a0%20k; 200", RAW_UTF8),
}
