"""Record and read a VELOX desk over HTTP: `DataClient` has the methods of the desk's facade."""

from velox_client import errors
from velox_client.client import DataClient

__all__ = ["DataClient", "errors"]
