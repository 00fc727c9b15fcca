"""Decrypts what comes and encrypts what goes, by XOR with a running key; what it puts before is thrown away.

Each direction begins with a preamble of 1000 bytes, so that lengths change before the first head.
"""

from itertools import cycle, islice

from isapi import isapicon
from isapi.simple import SimpleFilter

KEY = b"secret key"
PREAMBLE = 1000


def crypt(data, position):
    whole = bytes(islice(cycle(KEY), position % len(KEY), position % len(KEY) + len(data)))
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")).to_bytes(size, "big")


class Filter(SimpleFilter):
    """XOR in both directions."""

    filter_flags = isapicon.SF_NOTIFY_READ_RAW_DATA | isapicon.SF_NOTIFY_SEND_RAW_DATA

    def HttpFilterProc(self, fc):
        if fc.NotificationType == isapicon.SF_NOTIFY_END_OF_NET_SESSION:
            return None
        if fc.FilterContext is None:
            fc.FilterContext = {"came": 0, "went": 0}
        state, data = fc.FilterContext, fc.GetData()
        if fc.NotificationType == isapicon.SF_NOTIFY_READ_RAW_DATA:
            if not state["came"]:
                if len(data.InData) <= PREAMBLE:
                    return isapicon.SF_STATUS_REQ_READ_NEXT
                data.InData = data.InData[PREAMBLE:]
            plain = crypt(data.InData, state["came"])
            state["came"] += len(plain)
            data.InData = plain
        else:
            encrypted = crypt(data.InData, state["went"])
            if not state["went"]:
                data.InData = b"#" * PREAMBLE + encrypted
            else:
                data.InData = encrypted
            state["went"] += len(encrypted)
        return None


def __FilterFactory__():
    return Filter()
