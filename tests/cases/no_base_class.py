"""A handler of no base class; the methods are found on whatever the factory returns, here a module-like object."""
import types


def version(vi):
    vi.ExtensionDesc = "functions"


def answer(ecb):
    ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n")
    ecb.WriteClient("functions will do")
    return 1


def terminate(status):
    pass


def __ExtensionFactory__():
    return types.SimpleNamespace(GetExtensionVersion=version, HttpExtensionProc=answer, TerminateExtension=terminate)
