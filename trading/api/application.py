"""The application behind `/api/v1/`: routers, what is refused, the schema."""

from __future__ import annotations

from django.core.exceptions import SuspiciousOperation
from ninja.errors import AuthenticationError, HttpError, ValidationError

from trading.api import events, figures, operating, points, problems, reads, records, series  # noqa: F401 - the routes
from trading.api.plain import ExactParser, PlainRenderer
from trading.api.router import router
from trading.api.schema import DeskApi
from trading.errors import VeloxError

api = DeskApi(
    title="VELOX",
    version="1",
    description=(
        "Records and reads one account of the desk, by a token (`manage.py token make`). Numbers are texts in plain "
        "decimals, times ISO 8601 with their zone. A refusal is problem details with `code`, `field` and `hint`."
    ),
    renderer=PlainRenderer(),
    parser=ExactParser(),
    docs_url=None,
    urls_namespace="api",
)
api.add_router("", router)
api.exception_handler(Exception)(problems.fault)
api.exception_handler(VeloxError)(problems.refused)
api.exception_handler(ValidationError)(problems.malformed)
api.exception_handler(AuthenticationError)(problems.unauthenticated)
api.exception_handler(HttpError)(problems.unreadable)
api.exception_handler(SuspiciousOperation)(problems.beyond_bounds)
