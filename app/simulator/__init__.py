"""Daraja as a program of your own, with a virtual phone to pay from.

It can be taken away without a trace: it uses nothing of the shop but the table of result codes,
and the shop uses nothing of it but the front door.
"""
