"""Pass requests on like redirector.py, but write the answer asynchronously.

A worker asks the target; from then on no thread waits for the client. Each block is handed to the server
with HSE_IO_ASYNC, and when the server has sent it, it calls back for the next, so one block is in memory at
a time. The callback reads from the target on a thread of the server, so the target ought to be a quick one.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import isapi
from isapi import ExtensionError, isapicon
from isapi.threaded_extension import ThreadPoolExtension
from redirector import ask_target, body_of, send_bad_gateway, send_head


class Transfer:
    """What is still to be sent of one answer."""

    def __init__(self, connection: http.client.HTTPConnection, blocks: Iterator[bytes]) -> None:
        self.connection = connection
        self.blocks = blocks

    def send_next(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Start sending the next block, or finish the request after the last."""
        try:
            block = next(self.blocks, b"")
            if block:
                ecb.WriteClient(block, isapicon.HSE_IO_ASYNC)
                # The callback may be running already, on another thread: nothing may be touched after this.
                return
        except ExtensionError:
            self.end(ecb, isapicon.HSE_STATUS_ERROR)
        except BaseException:
            self.connection.close()
            raise
        else:
            self.end(ecb, isapicon.HSE_STATUS_SUCCESS)

    def end(self, ecb: isapi.EXTENSION_CONTROL_BLOCK, status: int) -> None:
        """Leave the target and finish the request."""
        self.connection.close()
        ecb.DoneWithSession(status)


class Extension(ThreadPoolExtension):
    """Passes requests on to another site, asynchronously."""

    def Dispatch(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Ask the target, send its head and start with the body."""
        try:
            connection, response = ask_target(ecb)
        except ExtensionError:
            # The client has gone in the middle of its request.
            ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR)
            return
        except (OSError, http.client.HTTPException) as error:
            send_bad_gateway(ecb, error)
            ecb.DoneWithSession()
            return
        transfer = Transfer(connection, body_of(response))
        try:
            send_head(ecb, response)
            ecb.IOCompletion(block_sent, transfer)
        except ExtensionError:
            transfer.end(ecb, isapicon.HSE_STATUS_ERROR)
            return
        transfer.send_next(ecb)


def block_sent(ecb: isapi.EXTENSION_CONTROL_BLOCK, transfer: Transfer, sent_bytes: int, error: int) -> None:
    """Go on when the server has sent a block; it calls this on one of its threads."""
    if error:
        transfer.end(ecb, isapicon.HSE_STATUS_ERROR)
    else:
        transfer.send_next(ecb)


def __ExtensionFactory__() -> Extension:
    return Extension()
