"""What a user calls first: `open_series`, `scan` and what it gives, a Catalog."""

from xdicom.api.catalog import Catalog
from xdicom.api.scanning import scan
from xdicom.api.series import open_series

__all__ = ["Catalog", "open_series", "scan"]
