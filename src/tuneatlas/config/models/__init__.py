"""The config as Pydantic models, one module per part; ``experiment`` joins them.

A new key is one line: ``name: type = option(default, "what it is", unit=…, source=…)``.
Then ``make config-docs`` rewrites the files generated from it.
"""
