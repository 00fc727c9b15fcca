"""A filter of the plain kind: rewrites each request, and adds to its response and to its log entry."""

from isapi import isapicon
from isapi.simple import SimpleFilter

REQUEST = isapicon.SF_NOTIFY_PREPROC_HEADERS
RESPONSE = isapicon.SF_NOTIFY_SEND_RESPONSE
LOG = isapicon.SF_NOTIFY_LOG


class Rewriter(SimpleFilter):
    filter_flags = REQUEST | RESPONSE | LOG

    def HttpFilterProc(self, fc):
        if fc.NotificationType == REQUEST:
            headers = fc.GetData()
            headers.SetHeader("url", headers.GetHeader("url") + b"?rewritten")
            headers.AddHeader("X-Address:", fc.GetServerVariable("REMOTE_ADDR"))
        elif fc.NotificationType == RESPONSE:
            fc.AddResponseHeaders(b"X-Rewritten: yes\r\n")
        elif fc.NotificationType == LOG:
            entry = fc.GetData()
            entry.Parameters = entry.Parameters + b"&logged"
        return isapicon.SF_STATUS_REQ_NEXT_NOTIFICATION


def __FilterFactory__():
    return Rewriter()
