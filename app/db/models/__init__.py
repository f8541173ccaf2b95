"""Every table, one a file. Importing this package imports each of them, so that the metadata is complete.

The files are found by listing the folder: a table that somebody forgot to name here would be dropped by the next
generated revision.
"""

from importlib import import_module
from pkgutil import iter_modules

import app.db.audit_triggers  # noqa: F401 - what the database has beside tables: the triggers of audited ones

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
