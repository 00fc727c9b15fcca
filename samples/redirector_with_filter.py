"""Show another site below /mirror: a filter rewrites the URLs, and an extension in the same file answers.

The filter turns /mirror/page into /redirector_with_filter/page, a URL of the virtual directory where the
extension is mounted; this one asks the other site for /page, as redirector.py does. REDIRECTOR_TARGET names
the other site, by default it is this same server. When a connection ends, the log says how many of its
requests were rewritten: the filter counts them in FilterContext.
"""

from __future__ import annotations

import isapi
from isapi import isapicon
from isapi.simple import SimpleFilter
from redirector import Extension

PUBLIC = b"/mirror"
# Where the extension is mounted. It answers there for everybody, whether or not the filter runs.
VIRTUAL_DIRECTORY = b"/redirector_with_filter"


class Rewriter(SimpleFilter):
    """Rewrites URLs below /mirror into the virtual directory of the redirector."""

    filter_flags = isapicon.SF_NOTIFY_PREPROC_HEADERS | isapicon.SF_NOTIFY_END_OF_NET_SESSION

    def HttpFilterProc(self, fc: isapi.HTTP_FILTER_CONTEXT) -> int:
        """Rewrite a request, or sum up a connection that has ended."""
        if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS:
            rewrite(fc)
        elif fc.FilterContext:
            print(f"redirector: connection closed, URLs rewritten: {fc.FilterContext}")
        return isapicon.SF_STATUS_REQ_NEXT_NOTIFICATION


def rewrite(fc: isapi.HTTP_FILTER_CONTEXT) -> None:
    """Send a request below /mirror to the extension, and count it."""
    request = fc.GetData()
    url: bytes = request.GetHeader("url")
    if not is_public(url):
        return
    request.SetHeader("url", VIRTUAL_DIRECTORY + url[len(PUBLIC) :])
    # None at first: each connection has its own.
    fc.FilterContext = (fc.FilterContext or 0) + 1


def is_public(url: bytes) -> bool:
    """Tell whether the URL is /mirror or below it: /mirrored is not."""
    return url.startswith(PUBLIC) and url[len(PUBLIC) : len(PUBLIC) + 1] in (b"", b"/", b"?")


def __ExtensionFactory__() -> Extension:
    return Extension()


def __FilterFactory__() -> Rewriter:
    return Rewriter()
