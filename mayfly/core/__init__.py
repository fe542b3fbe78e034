"""Mayfly's decisions. Pure: no clock, no random, no environment, no I/O, no boto3.

Start with `machine.py` (the transition table), then `pool.py` (how many workers, and when a
service goes) and `release.py` (which tasks are on the queue). Time, ids and randomness arrive as
arguments; what comes back are changes to rows and commands for `mayfly.perform`.
"""
