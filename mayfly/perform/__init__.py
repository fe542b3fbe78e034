"""Performs what the core decides: loads rows, asks, commits the changes, runs the commands.

Shared by both Lambdas. It knows ports only, never boto3, and decides nothing: a branch about the
domain in here belongs in `mayfly.core`.
"""
