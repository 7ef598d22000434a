"""Rules for requests, written from what the vendors document and not from what the adapters do.

They are run on every request that a scripted server of the tests receives.
"""
