"""The one router: a path that is read and written is one address with two methods."""

from ninja import Router

from trading.api.access import TokenWith
from trading.models import TokenScope

router = Router()
READ, RECORD, OPERATE = map(TokenWith, (TokenScope.READ, TokenScope.RECORD, TokenScope.OPERATE))
