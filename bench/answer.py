"""What every server answers: BENCH_BYTES bytes of the same line."""

import os

LINE = b"Hello, world!\n"
SIZE = int(os.environ.get("BENCH_BYTES", len(LINE)))
BODY = (LINE * (SIZE // len(LINE) + 1))[:SIZE]
