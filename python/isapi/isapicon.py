"""The old name of :mod:`pyisapi.isapicon`: importing this gives that module."""

import sys

import pyisapi.isapicon
from pyisapi.isapicon import *  # noqa: F403 -- for type checkers; what counts is the next line

sys.modules[__name__] = pyisapi.isapicon
