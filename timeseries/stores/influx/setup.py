"""What a desk needs on an InfluxDB 2: its two buckets, a token that writes and reads them, and one that only reads."""

from __future__ import annotations

from dataclasses import dataclass

from timeseries.errors import StoreMisconfigured
from timeseries.stores.influx.server import InfluxServer, faults
from timeseries.stores.influx.store import minutes_bucket


@dataclass(frozen=True, slots=True)
class SetUp:
    """What was done. A token is None when it was made earlier: it is shown once, when it is made."""

    bucket: str  # "made", "kept", "retention changed"
    candles: str  # the bucket of the one-minute candles: "made", "kept"
    write_token: str | None
    read_token: str | None


def set_up(server: InfluxServer, bucket: str, *, retention_days: int | None, new_tokens: bool = False) -> SetUp:
    """Make what is missing; repeating it changes nothing. ``retention_days`` None leaves a bucket's retention as it is.

    Raises:
        StoreMisconfigured: no such organisation, or the token may not do this.
        StoreUnavailable: no answer.
    """
    with faults():
        organisation = _organisation(server)
        done, identity = _bucket(server, bucket, organisation, retention_days)
        candles, beside = _bucket(server, minutes_bucket(bucket), organisation, None)
        make = _Tokens(server, organisation, (identity, beside), new_tokens)
        write = make.token(f"VELOX desk, {bucket}", ("read", "write"))
        read = make.token(f"VELOX reading, {bucket}", ("read",))
    return SetUp(done, candles, write, read)


def _organisation(server: InfluxServer) -> str:
    found = server.client.organizations_api().find_organizations(org=server.org)
    if not found:
        raise StoreMisconfigured(f"There is no organisation {server.org!r}.", hint="Correct INFLUXDB_V2_ORG.")
    return str(found[0].id)


def _bucket(server: InfluxServer, name: str, organisation: str, retention_days: int | None) -> tuple[str, str]:
    buckets = server.client.buckets_api()
    seconds = None if retention_days is None else retention_days * 86_400
    rules = [] if seconds is None else [{"type": "expire", "everySeconds": seconds}]
    found = buckets.find_bucket_by_name(name)
    if found is None:
        return "made", str(buckets.create_bucket(bucket_name=name, org=organisation, retention_rules=rules).id)
    now = next((rule.every_seconds for rule in found.retention_rules if rule.every_seconds), None)
    if seconds is None or now == seconds:
        return "kept", str(found.id)
    found.retention_rules = rules
    buckets.update_bucket(found)
    return "retention changed", str(found.id)


@dataclass(frozen=True, slots=True)
class _Tokens:
    server: InfluxServer
    organisation: str
    buckets: tuple[str, ...]
    anew: bool

    def token(self, description: str, actions: tuple[str, ...]) -> str | None:
        """Return a new token that may do this with the buckets; None when there is one of this description."""
        tokens = self.server.client.authorizations_api()
        everyone = tokens.find_authorizations(org_id=self.organisation)
        known = [one for one in everyone if one.description == description]
        if known and not self.anew:
            return None
        resources = [{"type": "buckets", "id": bucket, "orgID": self.organisation} for bucket in self.buckets]
        permissions = [{"action": action, "resource": resource} for resource in resources for action in actions]
        made = self.server.authorize(
            {"orgID": self.organisation, "description": description, "permissions": permissions}
        )
        for one in known:
            tokens.delete_authorization(one)
        return made
