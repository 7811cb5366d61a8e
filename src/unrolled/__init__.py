"""Recurrent networks on real series: trained, tested honestly and compared."""

__version__ = "0.1.0"
