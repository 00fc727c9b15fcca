"""Take a form with a text field and a file, and say what came.

    curl -F name=Zoë -F file=@picture.png http://localhost:8080/form/

The helpers of `pyisapi.request` read the form within limits: the text is in memory, a large file is on disk
until the answer has been sent. What the client got wrong is a `RequestError`, which knows its status.
"""

from __future__ import annotations

import hashlib
import html

import isapi
from isapi import ExtensionError, isapicon
from isapi.threaded_extension import ThreadPoolExtension
from pyisapi import request
from pyisapi.response import TextWriter, respond

LIMITS = request.FormLimits(max_bytes=20_000_000, max_fields=10, max_field_bytes=10_000)

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Form</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 4rem auto; padding: 0 1rem }
</style>
<h1>Form</h1>
<form method="post" enctype="multipart/form-data">
<p><label>Your name <input name="name"></label></p>
<p><label>A file <input type="file" name="file" multiple></label></p>
<p><button>Send</button></p>
</form>
</html>
"""


class Extension(ThreadPoolExtension):
    """Takes a form."""

    def Dispatch(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Answer, and finish the request."""
        try:
            answer(ecb)
        except ExtensionError:
            # The client has gone.
            ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR)
        else:
            ecb.DoneWithSession()


def __ExtensionFactory__() -> Extension:
    return Extension()


def answer(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
    """Show the form, or what it was filled in with."""
    if ecb.Method != b"POST":
        respond(ecb, 200, PAGE, {"Content-Type": "text/html; charset=utf-8"})
        return
    try:
        take(ecb)
    except request.RequestError as error:
        respond(ecb, error.status, f"{error}\n")


def take(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
    """Read the form and answer with a page about it, printed line by line."""
    with request.form(ecb, LIMITS) as form:
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/html; charset=utf-8\r\n\r\n", False)
        with TextWriter(ecb) as page:
            print("<!doctype html>\n<title>Form</title>", file=page)
            print(f"<p>Hello {html.escape(form.fields.get('name') or 'whoever you are')}.</p>", file=page)
            for file in form.files.get_list("file"):
                print(f"<p>{html.escape(file.filename)}: {describe(file)}</p>", file=page)


def describe(file: request.UploadedFile) -> str:
    """Return the size and the SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    while block := file.file.read(64 * 1024):
        digest.update(block)
    return f"{file.size} bytes, SHA-256 {digest.hexdigest()}"
