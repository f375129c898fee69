"""Broker → verified, opened and deduplicated rows → acknowledgement."""
