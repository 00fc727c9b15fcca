"""The old name of :mod:`pyisapi.threaded_extension`: importing this gives that module."""

import sys

import pyisapi.threaded_extension
from pyisapi.threaded_extension import *  # noqa: F403 -- for type checkers; what counts is the next line

sys.modules[__name__] = pyisapi.threaded_extension
