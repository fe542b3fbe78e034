"""What people use: the `mayfly` command line.

It decides nothing about jobs: it uploads, asks, shows. Every command speaks to people or, with
`--json`, to programs, and its exit code says how it ended (`console.ends`).
"""
