"""The language of Mayfly: request, recipe, task, report, outcome, and the settings of each part.

Wire types only. Nothing in this room does I/O, reads a clock or draws a random number, and it
imports nothing from the other rooms. What users write is strict (unknown fields are refused with a
sentence); what Mayfly's parts write to each other ignores unknown fields within a major version,
because old workers meet new Lambdas during a deploy.
"""
