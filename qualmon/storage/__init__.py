"""The log, the slot ledger and the fold's state in one SQL database.

Start at `open.open_store`; `store.SqlStore` is what it returns, `writer.AsyncStore` puts it
behind one thread for the event loop. Dialect differences live in `dialect` alone.
"""
