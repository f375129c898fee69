"""The ledger of received reports, and the quarantine of those that were not believed."""
