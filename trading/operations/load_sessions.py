"""Loading the hours of exchanges from the data file, in place of what the ledger has."""

from __future__ import annotations

from dataclasses import asdict

import structlog

from trading.domain.sessions import parse_hours
from trading.errors import InvalidValue
from trading.models import Exchange, ExchangeSession, Trade
from trading.transactions import writing

log = structlog.get_logger("database")


def load_sessions(text: str) -> dict[str, int]:
    """Replace the sessions of every exchange in a data file's text; return the rows now there, by exchange.

    Exchanges that the file does not name keep theirs.

    Raises: InvalidValue where the file is wrong; nothing was changed.
    """
    try:
        exchanges = parse_hours(text)
    except ValueError as error:
        raise InvalidValue(f"The file of exchange sessions is wrong: {error}.", field="file") from error
    with writing():
        loaded = {}
        for hours in exchanges:
            moved = Trade.objects.filter(instrument__exchange__code=hours.code)
            if moved.exclude(instrument__exchange__zone=hours.zone).exists():
                raise InvalidValue(
                    f"{hours.code} has trades, whose days are of another zone than {hours.zone}.",
                    field="file",
                    hint="Give the exchange the zone it has, or another name.",
                )
            terms = {"name": hours.name, "zone": hours.zone, "session_group": hours.session_group}
            exchange, _ = Exchange.objects.update_or_create(code=hours.code, defaults=terms)
            ExchangeSession.objects.filter(exchange=exchange).delete()
            rows = [ExchangeSession(exchange=exchange, **asdict(row)) for row in hours.rows]
            loaded[hours.code] = len(ExchangeSession.objects.bulk_create(rows))
    log.info("exchange sessions loaded", **loaded)
    return loaded
