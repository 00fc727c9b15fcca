"""The same over WSGI, for the peers: `application` answers, `echo` sends the body back."""

import logging

from answer import BODY

# More connections than threads is no news under load; waitress would write a line for each request.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def application(environ, start_response):
    start_response("200 OK", HEADERS)
    return [BODY]


def echo(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
