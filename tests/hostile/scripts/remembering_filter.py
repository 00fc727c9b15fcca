"""A filter that remembers each connection by an object of its own, and tells in X-Connections how many there are."""

import threading

from isapi import isapicon
from isapi.simple import SimpleFilter

REQUEST = isapicon.SF_NOTIFY_PREPROC_HEADERS
RESPONSE = isapicon.SF_NOTIFY_SEND_RESPONSE


class Connection:
    """Counts itself as long as it is there."""

    lock = threading.RLock()
    number = 0

    def __init__(self):
        self.requests = 0
        self.text = "x" * 1000
        with Connection.lock:
            Connection.number += 1

    def __del__(self):
        with Connection.lock:
            Connection.number -= 1


class Memory(SimpleFilter):
    filter_flags = REQUEST | RESPONSE | isapicon.SF_NOTIFY_END_OF_REQUEST | isapicon.SF_NOTIFY_ORDER_LOW

    def HttpFilterProc(self, fc):
        if fc.NotificationType == REQUEST:
            if fc.FilterContext is None:
                fc.FilterContext = Connection()
            fc.FilterContext.requests += 1
        elif fc.NotificationType == RESPONSE:
            fc.GetData().SetHeader("X-Connections:", str(Connection.number))
            fc.GetData().SetHeader("X-Requests:", str(fc.FilterContext.requests))
        return isapicon.SF_STATUS_REQ_NEXT_NOTIFICATION


def __FilterFactory__():
    return Memory()
