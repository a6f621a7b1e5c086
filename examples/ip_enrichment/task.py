"""Where is an address, and whose is it? Asks a service that answers as ip-api.com does."""

import os
from typing import Any


async def on_startup() -> dict[str, Any]:
    return {"url": os.environ["GEO_URL"]}


async def process_record(record: dict[str, Any], context: dict[str, Any]) -> dict[str, Any] | None:
    async with context["session"].get(f"{context['url']}/json/{record['ip']}") as response:
        response.raise_for_status()
        place = await response.json()
    if place["status"] != "success":
        raise LookupError(place["message"])
    return record | {name: place[name] for name in ("country", "city", "isp") if name in place}
