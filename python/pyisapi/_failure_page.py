"""The pages that a client sees when the server cannot answer.

They show a reference to the log and nothing about the program, except for the traceback that debug mode
passes in.
"""

from __future__ import annotations

import html

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; color: #222; max-width: 45rem; margin: 4rem auto }}
h1 {{ font-size: 1.4rem; font-weight: 600 }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; font-size: .85rem }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
<p>Reference: <code>{reference}</code></p>
{details}</body>
</html>
"""


def failed(reference: str, traceback_text: str | None) -> bytes:
    """Return the page for a failed request; the traceback is shown when it is given."""
    return _page(
        "Something went wrong",
        "The server could not answer this request. The reference below tells its administrator why.",
        reference,
        traceback_text,
    )


def unavailable(reference: str) -> bytes:
    """Return the page for a request that came while the application was stopping."""
    return _page("Try again in a moment", "The application is being restarted.", reference, None)


def _page(title: str, text: str, reference: str, traceback_text: str | None) -> bytes:
    details = "" if traceback_text is None else f"<pre>{html.escape(traceback_text)}</pre>\n"
    page = _PAGE.format(title=title, text=text, reference=html.escape(reference), details=details)
    # A lone surrogate in a file name must not cost the client its page.
    return page.encode(errors="backslashreplace")
