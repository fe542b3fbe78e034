"""Performs what the core decides: loads rows, asks the core, commits its changes, runs its commands.

Shared by both Lambdas. It knows ports only, never boto3, and decides nothing: a branch about the
domain in here belongs in `mayfly.core`.
"""
