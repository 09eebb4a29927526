"""docs/openapi.json, made from the types of the HTTP interface: `python -m velox_site.api_docs > docs/openapi.json`."""

from __future__ import annotations

import sys

from velox_site import desk  # noqa: F401  (first: it sets Django up)

# isort: split
from trading.api.application import api
from trading.api.schema import schema_text

if __name__ == "__main__":
    sys.stdout.write(schema_text(api.get_openapi_schema(path_prefix="/api/v1/")))
