"""Catches the error of a missing variable, as the old package's test does."""
import isapi
from isapi import isapicon
from isapi.simple import SimpleExtension

ERROR_INVALID_INDEX = 1413


class Extension(SimpleExtension):
    "Catches"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        try:
            ecb.GetServerVariable("foo bar")
            raise RuntimeError("should have failed!")
        except isapi.ExtensionError as err:
            print(err.errno == ERROR_INVALID_INDEX, err.funcname, err.args, isinstance(err, isapi.ISAPIError), file=ecb)
        assert ecb.GetServerVariable("foo bar", "xx") == "xx"
        assert isinstance(ecb.GetServerVariable("URL"), bytes)
        assert isinstance(ecb.GetServerVariable("UNICODE_URL"), str)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
