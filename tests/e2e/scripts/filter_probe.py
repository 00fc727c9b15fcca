"""A filter that runs the Python source which a client has left for its connection, and an extension beside it.

A client posts its plan to /plan?PORT, PORT being the one that its next connection comes from: a JSON object that
gives the source for notifications by name. The source's last line is an expression, and its outcome is kept; `result`
is returned to the server. Under a name with a ! the source runs bare: what it raises reaches the server. /outcomes?PORT
gives [[name, outcome], ...] when that connection has ended. Other paths say what the extension sees.
"""

import ast
import collections
import json
import threading

import isapi
from isapi import isapicon
from isapi.simple import SimpleExtension, SimpleFilter

EVENTS = {
    "READ_RAW_DATA": isapicon.SF_NOTIFY_READ_RAW_DATA,
    "PREPROC_HEADERS": isapicon.SF_NOTIFY_PREPROC_HEADERS,
    "URL_MAP": isapicon.SF_NOTIFY_URL_MAP,
    "AUTHENTICATION": isapicon.SF_NOTIFY_AUTHENTICATION,
    "AUTH_COMPLETE": isapicon.SF_NOTIFY_AUTH_COMPLETE,
    "ACCESS_DENIED": isapicon.SF_NOTIFY_ACCESS_DENIED,
    "SEND_RESPONSE": isapicon.SF_NOTIFY_SEND_RESPONSE,
    "SEND_RAW_DATA": isapicon.SF_NOTIFY_SEND_RAW_DATA,
    "END_OF_REQUEST": isapicon.SF_NOTIFY_END_OF_REQUEST,
    "LOG": isapicon.SF_NOTIFY_LOG,
    "END_OF_NET_SESSION": isapicon.SF_NOTIFY_END_OF_NET_SESSION,
}
NAMES = {flag: name for name, flag in EVENTS.items()}
VARIABLES = [
    "HTTP_URL",
    "URL",
    "SCRIPT_NAME",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REQUEST_METHOD",
    "SERVER_PROTOCOL",
    "ALL_RAW",
    "CONTENT_TYPE",
    "REMOTE_USER",
    "AUTH_TYPE",
    "LOGON_USER",
    "AUTH_USER",
    "AUTH_PASSWORD",
    "UNMAPPED_REMOTE_USER",
]


class Connection:
    """What one connection is to run, and what has come of it."""

    def __init__(self):
        self.plan = {}
        self.outcomes = []
        self.kept = {}
        self.over = threading.Event()


connections = collections.defaultdict(Connection)
loaded = []


def outcome(source, names):
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value)
    exec(compile(tree, "snippet", "exec"), names)
    value = eval(compile(last, "snippet", "eval"), names)
    return {"type": type(value).__name__, "repr": repr(value)}


def caught(source, names):
    try:
        return outcome(source, names)
    except BaseException as error:
        return {"raises": type(error).__name__, "args": repr(error.args)}


class Filter(SimpleFilter):
    """Runs what it is told."""

    filter_flags = sum(EVENTS.values())

    def GetFilterVersion(self, fv):
        super().GetFilterVersion(fv)
        fv.FilterVersion = 0x20003
        loaded.extend([type(fv).__name__, fv.ServerFilterVersion, fv.FilterVersion, fv.Flags, fv.FilterDesc])

    def HttpFilterProc(self, fc):
        port = fc.GetServerVariable("REMOTE_PORT")
        name = NAMES[fc.NotificationType]
        connection = connections.get(port)
        if connection is None:
            return None
        names = {"fc": fc, "kept": connection.kept, "isapi": isapi, "sf": isapicon, "loaded": loaded}
        if not name.startswith("END_"):
            names["data"] = fc.GetData()
        try:
            if name in connection.plan:
                connection.outcomes.append((name, caught(connection.plan[name], names)))
            elif name + "!" in connection.plan:
                outcome(connection.plan[name + "!"], names)
            return names.get("result")
        finally:
            if name == "END_OF_NET_SESSION":
                connection.over.set()


class Extension(SimpleExtension):
    """Says what it sees."""

    def HttpExtensionProc(self, ecb):
        path = ecb.PathInfo
        if path == b"/plan":
            connection = connections[ecb.QueryString] = Connection()
            connection.plan = json.loads(ecb.AvailableData)
            self.reply(ecb, "planned")
        elif path == b"/outcomes":
            connection = connections[ecb.QueryString]
            over = connection.over.wait(8)
            del connections[ecb.QueryString]
            self.reply(ecb, connection.outcomes if over else None)
        else:
            status = "401 Unauthorized" if path == b"/denied" else "200 OK"
            self.reply(ecb, self.seen(ecb), status)
        return isapicon.HSE_STATUS_SUCCESS

    def seen(self, ecb):
        values = {name: ecb.GetServerVariable(name, b"").decode("latin-1") for name in VARIABLES}
        body = ecb.AvailableData + ecb.ReadClient() if ecb.TotalBytes else b""
        return values | {"METHOD": ecb.Method.decode(), "BODY": body.decode("latin-1")}

    def reply(self, ecb, value, status="200 OK"):
        body = json.dumps(value).encode()
        head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-By: extension\r\n\r\n"
        ecb.SendResponseHeaders(status, head, 1)
        if ecb.Method != "HEAD":
            ecb.WriteClient(body)


def __ExtensionFactory__():
    return Extension()


def __FilterFactory__():
    return Filter()
