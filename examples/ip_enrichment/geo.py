"""What is known of an address? Looked up in the GeoIP database that geoip2fast ships."""

import ipaddress
from importlib import resources

from geoip2fast import GeoIP2Fast  # type: ignore[import-untyped]

PRIVATE = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


class GeoDatabase:
    """Country and network owner by address. The packaged database knows no cities."""

    def __init__(self) -> None:
        file = resources.files("geoip2fast") / "geoip2fast-asn.dat.gz"
        self._database = GeoIP2Fast(geoip2fast_data_file=str(file))

    def answer(self, ip: str) -> dict[str, str]:
        """What ip-api.com would say, with the fields that the database can fill."""
        problem = _problem(ip)
        if problem:
            return {"status": "fail", "message": problem, "query": ip}
        found = self._database.lookup(ip)
        if len(found.country_code) != 2 or not found.country_code.isalpha():
            return {"status": "fail", "message": "unknown address", "query": ip}
        fields = {
            "country": found.country_name,
            "countryCode": found.country_code,
            "isp": found.asn_name,
        }
        return {"status": "success", **{k: v for k, v in fields.items() if v}, "query": ip}


def _problem(ip: str) -> str | None:
    try:
        address = ipaddress.IPv4Address(ip)
    except ValueError:
        return "invalid query"
    if any(address in network for network in PRIVATE):
        return "private range"
    return None if address.is_global and not address.is_multicast else "reserved range"
