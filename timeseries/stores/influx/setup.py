"""What a desk needs on an InfluxDB 2: its two buckets, a token that writes and reads them, and one that only reads."""

from __future__ import annotations

from dataclasses import dataclass

from timeseries.errors import StoreMisconfigured
from timeseries.stores.influx.server import InfluxServer, faults
from timeseries.stores.influx.store import minutes_bucket


@dataclass(frozen=True, slots=True)
class SetUp:
    """The outcome of a set-up. A token is None when it was made earlier: it is shown once, when it is made."""

    bucket: str  # "made", "kept", "retention changed"
    candles: str  # the bucket of the one-minute candles: "made", "kept"
    write_token: str | None
    read_token: str | None


def set_up(server: InfluxServer, bucket: str, *, retention_days: int | None, new_tokens: bool = False) -> SetUp:
    """Make the buckets and tokens of a desk that are missing; repeating it changes nothing.

    ``retention_days`` None leaves a bucket's retention as it is.

    Raises:
        StoreMisconfigured: no such organisation, or the token may not do this.
        StoreUnavailable: no answer.
    """
    with faults():
        organisations = server.client.organizations_api().find_organizations(org=server.org)
        if not organisations:
            raise StoreMisconfigured(f"There is no organisation {server.org!r}.", hint="Correct INFLUXDB_V2_ORG.")
        organisation = str(organisations[0].id)
        outcome, identity = _bucket(server, bucket, organisation, retention_days)
        candles, beside = _bucket(server, minutes_bucket(bucket), organisation, None)
        tokens = _Tokens(server, organisation, (identity, beside), new_tokens)
        write = tokens.make(f"VELOX desk, {bucket}", ("read", "write"))
        read = tokens.make(f"VELOX reading, {bucket}", ("read",))
    return SetUp(outcome, candles, write, read)


def _bucket(server: InfluxServer, name: str, organisation: str, retention_days: int | None) -> tuple[str, str]:
    """Make the bucket or change its retention; return what was done, and the bucket's id."""
    buckets = server.client.buckets_api()
    seconds = None if retention_days is None else retention_days * 86_400
    rules = [] if seconds is None else [{"type": "expire", "everySeconds": seconds}]
    bucket = buckets.find_bucket_by_name(name)
    if bucket is None:
        return "made", str(buckets.create_bucket(bucket_name=name, org=organisation, retention_rules=rules).id)
    now = next((rule.every_seconds for rule in bucket.retention_rules if rule.every_seconds), None)
    if seconds is None or now == seconds:
        return "kept", str(bucket.id)
    bucket.retention_rules = rules
    buckets.update_bucket(bucket)
    return "retention changed", str(bucket.id)


@dataclass(frozen=True, slots=True)
class _Tokens:
    server: InfluxServer
    organisation: str
    buckets: tuple[str, ...]
    anew: bool

    def make(self, description: str, actions: tuple[str, ...]) -> str | None:
        """Make a token that may do this with the buckets and return it; None when there is one of this description."""
        tokens = self.server.client.authorizations_api()
        everyone = tokens.find_authorizations(org_id=self.organisation)
        earlier = [token for token in everyone if token.description == description]
        if earlier and not self.anew:
            return None
        token = self.server.authorize(self.organisation, description, self.buckets, actions)
        for old in earlier:
            tokens.delete_authorization(old)
        return token
