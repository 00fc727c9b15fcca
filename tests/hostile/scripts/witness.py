"""Keeps what each call of the extension saw, under the port of the client, and answers with a line.

GET /witness?PORT gives the calls of the client at that port as JSON, and forgets them; /live gives the number of
requests that the bridge has in hand, this one included. Bytes are Latin-1 text, so that none is lost.
"""

import json
import threading

from isapi import isapicon
from pyisapi import _bridge

seen = {}
lock = threading.Lock()


def variable(ecb, name):
    return ecb.GetServerVariable(name, b"").decode("latin-1")


def body(ecb):
    return ecb.AvailableData + ecb.ReadClient()


def testimony(ecb):
    return {
        "method": variable(ecb, "REQUEST_METHOD"),
        "target": variable(ecb, "HTTP_URL"),
        "path": variable(ecb, "PATH_INFO"),
        "query": variable(ecb, "QUERY_STRING"),
        "server": variable(ecb, "SERVER_NAME"),
        "version": variable(ecb, "SERVER_PROTOCOL"),
        "headers": variable(ecb, "ALL_RAW"),
        "body": body(ecb).decode("latin-1"),
    }


class Witness:
    def GetExtensionVersion(self, vi):
        pass

    def HttpExtensionProc(self, ecb):
        if ecb.PathInfo == b"/witness":
            with lock:
                answer = json.dumps(seen.pop(ecb.QueryString.decode("ascii"), []))
        elif ecb.PathInfo == b"/live":
            answer = str(_bridge.live_requests())
        else:
            port, call = variable(ecb, "REMOTE_PORT"), testimony(ecb)
            with lock:
                seen.setdefault(port, []).append(call)
            answer = "seen"
        head = f"Content-Type: text/plain\r\nContent-Length: {len(answer)}\r\n\r\n"
        ecb.SendResponseHeaders("200 OK", head, True)
        ecb.WriteClient(answer.encode("ascii"))
        return isapicon.HSE_STATUS_SUCCESS

    def TerminateExtension(self, status):
        pass


def __ExtensionFactory__():
    return Witness()
