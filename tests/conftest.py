"""Puts this folder on the import path, for the doubles that tests share, and makes Hypothesis
draw the same examples every time: a test that fails once fails again.

What is started in the background of a script ignores Ctrl-C and hands that on to its children; the
tests send it, so they have it heard.
"""

import signal

from hypothesis import settings

settings.register_profile("batchmill", deadline=None, derandomize=True, database=None)
settings.load_profile("batchmill")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
