"""Writes chunk after chunk from the completion callback of the one before."""
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Chain of writes"

    def HttpExtensionProc(self, ecb):
        chunks = iter(["chunk %d\n" % number for number in range(50)])
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        ecb.IOCompletion(self.write_next, chunks)
        self.write_next(ecb, chunks, 0, 0)
        return isapicon.HSE_STATUS_PENDING

    def write_next(self, ecb, chunks, cbIO, dwError):
        chunk = next(chunks, None)
        if chunk is None or dwError:
            ecb.DoneWithSession()
        else:
            ecb.WriteClient(chunk, isapicon.HSE_IO_ASYNC)


def __ExtensionFactory__():
    return Extension()
