"""The old name of :mod:`pyisapi.install`: importing this gives that module."""

import sys

import pyisapi.install
from pyisapi.install import *  # noqa: F403 -- for type checkers; what counts is the next line

sys.modules[__name__] = pyisapi.install
