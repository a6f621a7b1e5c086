"""Write the input: real public addresses, and a few rows that no run can get right.

    python make_input.py > ips.jsonl

The same rows every time: the choice is seeded, and the database is pinned.
"""

import ipaddress
import json
import random
import sys
from collections.abc import Iterator

from geo import GeoDatabase

ADDRESSES = 4_000
UNTOUCHED_HEAD = 100  # the bad rows come later, as they do in life
SEED = 2_024

SERVICES = {
    "Google DNS": ["8.8.8.8", "8.8.4.4"],
    "Cloudflare DNS": ["1.1.1.1", "1.0.0.1"],
    "Quad9": ["9.9.9.9", "149.112.112.112"],
    "OpenDNS": ["208.67.222.222", "208.67.220.220"],
    "AdGuard DNS": ["94.140.14.14", "94.140.15.15"],
    "CleanBrowsing": ["185.228.168.9", "185.228.169.9"],
    "Verisign DNS": ["64.6.64.6", "64.6.65.6"],
    "Level 3 DNS": ["4.2.2.1", "4.2.2.2"],
    "Yandex DNS": ["77.88.8.8", "77.88.8.1"],
    "AliDNS": ["223.5.5.5", "223.6.6.6"],
    "DNSPod": ["119.29.29.29"],
    "114DNS": ["114.114.114.114", "114.114.115.115"],
    "DNS root": [
        "198.41.0.4",
        "170.247.170.2",
        "192.33.4.12",
        "199.7.91.13",
        "192.203.230.10",
        "192.5.5.241",
        "192.112.36.4",
        "198.97.190.53",
        "192.36.148.17",
        "192.58.128.30",
        "193.0.14.129",
        "199.7.83.42",
        "202.12.27.33",
    ],
}

BAD_ROWS = [
    '{"ip": "10.0.0.1", "source": "office router"}',
    '{"ip": "192.168.1.1", "source": "home router"}',
    '{"ip": "172.16.0.10", "source": "virtual network"}',
    '{"ip": "127.0.0.1", "source": "loopback"}',
    '{"ip": "169.254.1.1", "source": "link-local"}',
    '{"ip": "9.9.9.',
    '{"source": "a row without an address"}',
]


def main() -> None:
    sys.stdout.write("".join(f"{row}\n" for row in rows()))


def rows() -> list[str]:
    """The lines of the input, well-known services first, the bad rows scattered."""
    chance = random.Random(SEED)
    lines = [json.dumps({"ip": ip, "source": source}) for ip, source in addresses(chance)]
    for row in BAD_ROWS:
        lines.insert(chance.randrange(UNTOUCHED_HEAD, len(lines)), row)
    return lines


def addresses(chance: random.Random) -> Iterator[tuple[str, str]]:
    """`ADDRESSES` different addresses with their source, each known to the database."""
    known = {ip: source for source, ips in SERVICES.items() for ip in ips}
    yield from known.items()
    database, seen = GeoDatabase(), set(known)
    while len(seen) < ADDRESSES:
        ip = str(ipaddress.IPv4Address(chance.getrandbits(32)))
        if ip not in seen and "isp" in database.answer(ip):
            seen.add(ip)
            yield ip, "sample"


if __name__ == "__main__":
    main()
