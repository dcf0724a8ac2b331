"""A whole Daraja to run at home, with a virtual phone.

It can be taken away without a trace: it uses nothing of the shop but the table of result codes,
and the shop uses nothing of it but the front door.
"""
