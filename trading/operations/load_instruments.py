"""Loading the terms of instruments from a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from timeseries.values import parse_name
from trading.bookkeeping.contract_terms import FOLDED, Term, terms_of
from trading.domain.instrument_file import InstrumentRow
from trading.errors import InvalidValue, LedgerBusy, LedgerNotReady, VeloxError
from trading.models import Exchange, Instrument, Trade
from trading.operations.correct_contract import correct_contract
from trading.transactions import writing

Key = tuple[Exchange, str]
BATCH = 500  # instruments of one transaction: well within what a strategy waits for


@dataclass(slots=True)
class LoadedInstruments:
    """The numbers of rows taken as new or changed, or known already; the refused ones: (line, symbol, why)."""

    new: int = 0
    changed: int = 0
    known: int = 0
    left: int = 0
    trades: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def load_instruments(
    rows: Iterable[InstrumentRow], *, known_only: bool = False, by: str = "", reason: str = ""
) -> LoadedInstruments:
    """Write each row's terms to its instrument; ``known_only`` leaves out rows that the ledger has no instrument of.

    Where an instrument was traded and its trades would have to be folded anew, that is a correction: it needs ``by``
    and ``reason``, else the row is refused. A row that is wrong is named and keeps no other out. What is loaded stays
    unreviewed until a person looked at it, and what is the same changes nothing.

    Raises: LedgerBusy, LedgerNotReady: what was taken before stays, load again.
    """
    loaded, fresh = LoadedInstruments(), dict[Key, Instrument]()
    exchanges = {exchange.code: exchange for exchange in Exchange.objects.all()}
    for row in rows:
        try:
            code = row.exchange or settings.VELOX_EXCHANGE
            if code not in exchanges:
                hint = "`manage.py sessions --load FILE` adds it."
                raise InvalidValue(f"There is no exchange {code!r}.", field="exchange", hint=hint)
            key, terms = (exchanges[code], parse_name(row.symbol, "symbol")), terms_of(row.terms)
            if key in fresh:
                raise InvalidValue("The file has it twice.", field="symbol", hint="The first line of it was taken.")
            instrument = Instrument.objects.filter(exchange=key[0], symbol=key[1]).first()
            if instrument is not None:
                _change(instrument, terms, loaded, by=by, reason=reason)
            elif known_only:
                loaded.left += 1
            else:
                fresh[key] = Instrument(
                    exchange=key[0], symbol=key[1], **{"currency": settings.VELOX_CURRENCY, **terms}
                )
                loaded.new += 1
        except (LedgerBusy, LedgerNotReady):
            raise
        except VeloxError as error:
            loaded.refused.append((row.line, row.symbol, str(error)))
        if len(fresh) >= BATCH:
            _insert(fresh)
    _insert(fresh)
    return loaded


def _change(
    instrument: Instrument, terms: Mapping[str, Term], loaded: LoadedInstruments, *, by: str, reason: str
) -> None:
    """Correct an instrument that the ledger has, where a term differs, and count it."""
    changed = {name: term for name, term in terms.items() if getattr(instrument, name) != term}
    if not changed:
        loaded.known += 1
        return
    is_folded = any(name in changed for name in (*FOLDED, "currency"))
    if is_folded and not (by and reason) and Trade.objects.filter(instrument=instrument).exists():
        raise InvalidValue(
            f"{', '.join(changed)} would change, and it was traded.",
            field="reason",
            hint="Load with --by and --reason: its trades are then folded anew.",
        )
    by, reason = by or "instrument file", reason or "loaded from a file of instruments"
    done = correct_contract(instrument.pk, by=by, reason=reason, reviewed=instrument.reviewed, **changed)
    loaded.changed += 1
    loaded.trades += done.trades


def _insert(fresh: dict[Key, Instrument]) -> None:
    """Write the new instruments in one transaction, and empty the dict."""
    if fresh:
        with writing():
            Instrument.objects.bulk_create(fresh.values())
        fresh.clear()
