"""The embedded store, in Delta tables of the data folder."""

import os

# The allocator within Delta's engine keeps what each commit took, more with every file of the table, and after a table
# was closed, too. It reads this when it is loaded, so this stands before the first import of it.
os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0")
