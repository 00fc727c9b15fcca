"""Stands in for pywin32's ``win32traceutil`` where that is not installed.

Old scripts import it inside the server to see their output. Here output already goes to the log, so there is
nothing to do.
"""
