"""The ports performed by AWS: the only room of the product that speaks to it.

Every call is bounded (tries, time) and every refusal is told by its consequence. Nothing here
decides anything, and no message of an exception holds a URL, a credential or a body.
"""
