"""What a browser that listens gets of the moments."""

from __future__ import annotations

import asyncio

from factorylab.operations.live.stream import TICK_S, MomentStream


def test_who_comes_late_gets_what_is_kept_and_then_each_new_one() -> None:
    """The last 15 minutes at once, then whatever comes, also several at a time; and the end."""

    async def heard() -> list[tuple[str | None, str]]:
        stream, got = MomentStream(), list[tuple[str | None, str]]()
        for number in range(2_000):
            await stream.put(str(number))

        async def listen() -> None:
            async for event in stream.events():
                got.append((event.event, str(event.data)))

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        await stream.put("a")
        await stream.put("b")
        await stream.end()
        await listening
        return got

    (kept, first), *news = asyncio.run(heard())
    numbers = first.strip("[]").split(",")
    assert kept == "kept" and len(numbers) * TICK_S == 900 and numbers[-1] == "1999"
    assert news == [("moment", "a"), ("moment", "b")]
