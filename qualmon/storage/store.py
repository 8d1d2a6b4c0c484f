"""The whole store as one object."""

from __future__ import annotations

from qualmon.storage.foldlog import FoldLog
from qualmon.storage.incidents import Incidents
from qualmon.storage.journal import Journal
from qualmon.storage.ledger import Ledger


class SqlStore(Ledger, FoldLog, Journal, Incidents):
    """Slot ledger, fold log, journal and incidents on one database (ports.SlotLedger, FoldLog).

    The parts share nothing but the database and override nothing of each other. Every method
    is one transaction, may be called from any thread, and raises StoreError.
    """

    def dispose(self) -> None:
        """Closes all connections."""
        self._database.dispose()
