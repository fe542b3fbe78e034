"""The ports in memory, under virtual time. Product code: the simulator is built upon them.

They do what AWS documents, and where emulators differ they take AWS's side. No thread, no real
time, no real randomness: the same seed gives the same run.
"""
