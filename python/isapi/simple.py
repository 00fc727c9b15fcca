"""The old name of :mod:`pyisapi.simple`: importing this gives that module."""

import sys

import pyisapi.simple
from pyisapi.simple import *  # noqa: F403 -- for type checkers; what counts is the next line

sys.modules[__name__] = pyisapi.simple
