"""Bugs 1 to 13 of the catalogue: what goes wrong between a worker and its queue."""

from tests.simulation.planted.bug import Bug

BUGS: tuple[Bug, ...] = ()
