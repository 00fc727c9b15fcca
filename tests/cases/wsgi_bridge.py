"""A WSGI application behind an adapter in miniature, of the kind that people built on the old package."""
import io
import sys

from isapi import isapicon
from isapi.simple import SimpleExtension


def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Adapter", "miniature")])
    yield "{REQUEST_METHOD} [{SCRIPT_NAME}] [{PATH_INFO}] ?{QUERY_STRING}\n".format(**environ).encode("latin-1")
    yield b"body: [" + body + b"]"


class Adapter(SimpleExtension):
    "WSGI in miniature"

    def HttpExtensionProc(self, ecb):
        environ = self.environ(ecb)

        def start_response(status, headers, exc_info=None):
            lines = ["%s: %s" % header for header in headers]
            ecb.SendResponseHeaders(status, "\r\n".join(lines) + "\r\n\r\n", False)
            return ecb.write

        result = application(environ, start_response)
        try:
            for chunk in result:
                ecb.WriteClient(chunk)
        finally:
            if hasattr(result, "close"):
                result.close()
        ecb.DoneWithSession()
        return isapicon.HSE_STATUS_SUCCESS

    def environ(self, ecb):
        def variable(name):
            return ecb.GetServerVariable(name, b"").decode("latin-1")

        environ = {name: variable(name) for name in
                   ("REQUEST_METHOD", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL")}
        for line in variable("ALL_HTTP").splitlines():
            name, _, value = line.partition(":")
            environ[name] = value
        script, path = variable("SCRIPT_NAME"), variable("PATH_INFO")
        if script == path:
            metabase = variable("APPL_MD_PATH")
            script = metabase[metabase.upper().index("/ROOT") + 5:]
        environ["SCRIPT_NAME"] = script
        environ["PATH_INFO"] = path[len(script):]
        environ["wsgi.input"] = io.BytesIO(ecb.AvailableData + ecb.ReadClient())
        environ["wsgi.errors"] = sys.stderr
        return environ


def __ExtensionFactory__():
    return Adapter()
