"""Look at each request's address and let it pass, as bench/filter.c does."""

from isapi import isapicon
from isapi.simple import SimpleFilter


class Filter(SimpleFilter):
    """Look at the address in Python."""

    filter_flags = isapicon.SF_NOTIFY_PREPROC_HEADERS | isapicon.SF_NOTIFY_ORDER_DEFAULT

    def HttpFilterProc(self, fc):
        # The end of a connection is told to every filter, asked for or not.
        if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS:
            fc.GetData().GetHeader("url")
        return isapicon.SF_STATUS_REQ_NEXT_NOTIFICATION


def __FilterFactory__():
    return Filter()
