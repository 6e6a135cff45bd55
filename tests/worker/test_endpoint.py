"""An operator's own model over HTTP, on a server of the test's own: what it answers, and what it does wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from worker.endpoint import BATCH, FAILURES, LARGEST_ANSWER, PAUSE_SECONDS, Breaker, ModelEndpoint, read_token
from worker.engine.records import Output, Question
from worker.metrics import Metrics
from worker.settings import SettingsError

REVIEWS = {"suicide-self-harm": 0.6, "hateful-conduct": 0.5}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def question(number: int = 0, text: str = "is it?", lang: str | None = "en") -> Question:
    when = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    return Question(f"p{number}", f"p{number}", f"u{number}", lang, when, text, REVIEWS)


class Scene:
    """An endpoint with what it published and counted, a clock that only sleeping moves, and the requests it made."""

    def __init__(self) -> None:
        self.metrics = Metrics(strict=True)
        self.published: list[tuple[int, Output]] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.slept: list[float] = []
        self.time = 0.0

    async def publish(self, partition: int, outputs: Sequence[Output]) -> None:
        self.published += [(partition, output) for output in outputs]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)

    def counted(self, result: str) -> float:
        return self.metrics.value("moderator_endpoint_requests_total", result)

    @property
    def dropped(self) -> float:
        return self.metrics.value("moderator_endpoint_dropped_total")

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [json.loads(output.value or b"") for _, output in self.published]

    @asynccontextmanager
    async def running(self, handler: Handler, **options: Any) -> Any:
        """The endpoint, asking a server on loopback that this handler answers for."""

        async def seen(request: web.Request) -> web.StreamResponse:
            self.requests.append(json.loads(await request.read()))
            self.headers.append(request.headers.copy())
            return await handler(request)

        app = web.Application()
        app.router.add_post("/score", seen)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        endpoint = self.endpoint(f"http://{host}:{port}/score", **options)
        task = asyncio.create_task(endpoint.run())
        try:
            yield endpoint
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await runner.cleanup()

    def endpoint(self, url: str, **options: Any) -> ModelEndpoint:
        return ModelEndpoint(
            url, self.publish, self.metrics, clock=lambda: self.time, sleep=self.sleep, **options
        )

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(10.0):
            while not done():
                await asyncio.sleep(0.001)

    def ask_once(
        self, handler: Handler, questions: Sequence[Question] = (question(),), **options: Any
    ) -> None:
        """Asks, and waits until all is answered or dropped."""

        answered, dropped = self.counted("ok"), self.dropped

        async def main() -> None:
            async with self.running(handler, **options) as endpoint:
                endpoint.ask(3, questions)
                await self.until(
                    lambda: (self.counted("ok") - answered) * BATCH + self.dropped - dropped >= len(questions)
                )

        asyncio.run(main())


def answer(*scores: dict[str, float]) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"scores": [{"id": str(place), "scores": each} for place, each in enumerate(scores)]}
        )

    return handler


def status(code: int) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={"Location": "/elsewhere"} if 300 <= code < 400 else None)

    return handler


def test_an_answer_from_review_on_becomes_one_finding_a_policy_those_at_risk_first() -> None:
    scene = Scene()
    scene.ask_once(
        answer({"hateful-conduct": 0.93, "suicide-self-harm": 0.6}, {"hateful-conduct": 0.49}, {}),
        [question(0), question(1, "or not", None), question(2)],
    )
    assert scene.requests == [
        {
            "texts": [
                {"id": "0", "text": "is it?", "lang": "en"},
                {"id": "1", "text": "or not", "lang": None},
                {"id": "2", "text": "is it?", "lang": "en"},
            ]
        }
    ]
    assert [(f["policy"], f["score"]) for f in scene.findings] == [
        ("suicide-self-harm", 0.6),
        ("hateful-conduct", 0.93),
    ]
    (partition, output), _ = scene.published
    assert (partition, output.topic, output.key) == (3, "findings", b"u0")
    finding = scene.findings[1]
    assert (finding["feature"], finding["post_id"], finding["account_id"]) == ("model:endpoint", "p0", "u0")
    assert (finding["observed_at"], finding["lang"], finding["evidence"]) == (
        "2026-11-22T09:30:00Z",
        "en",
        [],
    )
    assert scene.counted("ok") == 1
    assert scene.dropped == 0


def test_asked_again_an_answer_has_the_same_id() -> None:
    scene = Scene()
    for _ in range(2):
        scene.ask_once(answer({"hateful-conduct": 0.93}))
    first, second = scene.findings
    assert first == second


def test_policies_without_a_scale_are_ignored_and_counted() -> None:
    scene = Scene()
    scene.ask_once(answer({"hateful-conduct": 0.93, "trademark": 0.99, "made-up": 1.0}))
    assert [finding["policy"] for finding in scene.findings] == ["hateful-conduct"]
    assert scene.metrics.value("moderator_endpoint_unknown_total") == 2


def test_what_waits_is_asked_together_up_to_a_limit() -> None:
    scene = Scene()

    async def handler(request: web.Request) -> web.StreamResponse:
        texts = scene.requests[-1]["texts"]
        return web.json_response({"scores": [{"id": text["id"], "scores": {}} for text in texts]})

    scene.ask_once(handler, [question(number) for number in range(BATCH + 5)])
    assert [len(request["texts"]) for request in scene.requests] == [BATCH, 5]


def test_the_newest_are_dropped_when_there_is_no_room() -> None:
    scene = Scene()

    async def main() -> None:
        endpoint = scene.endpoint("http://127.0.0.1:1/", room=2)
        endpoint.ask(0, [question(number) for number in range(5)])

    asyncio.run(main())
    assert scene.dropped == 3


@pytest.mark.parametrize(
    ("code", "result", "requests"),
    [(500, "error", 3), (503, "error", 3), (429, "refused", 3), (400, "refused", 1), (401, "refused", 1), (302, "refused", 1), (204, "refused", 1)],
)  # fmt: skip
def test_a_request_is_made_again_where_that_may_help(code: int, result: str, requests: int) -> None:
    scene = Scene()
    scene.ask_once(status(code))
    assert scene.counted(result) == requests
    assert len(scene.requests) == requests
    assert scene.dropped == 1
    first = [0.05 <= seconds <= 0.15 for seconds in scene.slept[:1]]
    second = [0.1 <= seconds <= 0.3 for seconds in scene.slept[1:]]
    assert first + second == [True] * (requests - 1)


def test_what_is_answered_at_the_second_attempt_is_not_lost() -> None:
    scene = Scene()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await (status(500) if len(scene.requests) == 1 else answer({"hateful-conduct": 0.93}))(request)

    scene.ask_once(handler)
    assert len(scene.findings) == 1
    assert scene.dropped == 0


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    scene = Scene()

    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5.0)
        return web.Response()

    scene.ask_once(handler, timeout_seconds=0.05, retries=0)
    assert scene.counted("timeout") == 1
    assert scene.dropped == 1


def test_a_body_that_never_ends_is_given_up_too() -> None:
    scene = Scene()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"scores":')
        await asyncio.sleep(5.0)
        return response

    scene.ask_once(handler, timeout_seconds=0.05, retries=0)
    assert scene.counted("timeout") == 1


def test_nobody_there_is_an_error() -> None:
    scene = Scene()

    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        endpoint = scene.endpoint(f"http://127.0.0.1:{port}/", retries=1)
        task = asyncio.create_task(endpoint.run())
        endpoint.ask(0, [question()])
        await scene.until(lambda: scene.dropped == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert scene.counted("error") == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"[]",
        b'{"scores": {}}',
        b'{"scores": []}',
        b'{"scores": [{"id": "1", "scores": {}}]}',
        b'{"scores": [{"id": 0, "scores": {}}]}',
        b'{"scores": [{"id": "0", "scores": {}}, {"id": "0", "scores": {}}]}',
        b'{"scores": [{"id": "0", "scores": {}}, {"id": "7", "scores": {}}]}',
        b'{"scores": [{"id": "0", "scores": {"hateful-conduct": 1.01}}]}',
        b'{"scores": [{"id": "0", "scores": {"hateful-conduct": -0.1}}]}',
        b'{"scores": [{"id": "0", "scores": {"hateful-conduct": NaN}}]}',
        b'{"scores": [{"id": "0", "scores": {"hateful-conduct": "0.9"}}]}',
        b'{"scores": [{"id": "0", "scores": {"hateful-conduct": null}}]}',
        b"[" * 100_000,
        b'{"scores": [{"id": "0", "scores": {}}]}' + b" " * LARGEST_ANSWER,
    ],
    ids=lambda body: body[:60].decode(),
)
def test_an_answer_that_is_none_is_malformed_and_not_asked_again(body: bytes) -> None:
    scene = Scene()

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    scene.ask_once(handler)
    assert scene.counted("malformed") == 1
    assert len(scene.requests) == 1
    assert scene.dropped == 1
    assert scene.published == []


def test_a_small_body_that_unpacks_to_a_huge_one_is_not_unpacked() -> None:
    scene = Scene()

    async def handler(request: web.Request) -> web.StreamResponse:
        packed = gzip.compress(b" " * 50_000_000)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    scene.ask_once(handler)
    assert scene.headers[0]["Accept-Encoding"] == "identity"
    assert scene.counted("malformed") == 1


def test_the_token_is_sent_read_anew_and_never_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene, file = Scene(), tmp_path / "token"
    file.write_text("first-secret\n")
    with caplog.at_level(logging.DEBUG):
        scene.ask_once(answer({}), token_file=file)
        file.write_text("second-secret")
        scene.ask_once(status(500), token_file=file)
    sent = [headers["Authorization"] for headers in scene.headers]
    assert sent == ["Bearer first-secret", *["Bearer second-secret"] * 3]
    assert "secret" not in caplog.text
    file.unlink()

    async def main() -> None:
        async with scene.running(answer({}), token_file=file, retries=0) as endpoint:
            endpoint.ask(0, [question()])
            await scene.until(lambda: scene.dropped == 2)

    asyncio.run(main())
    assert len(scene.requests) == 4


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"two words", "gehéim".encode(), b"line\nline", b"x" * 9000]
)
def test_a_file_without_a_token_is_refused_without_quoting_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    with pytest.raises(SettingsError, match="MODERATOR_MODEL_TOKEN_FILE"):
        read_token(file)
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="holds no token") as raised:
        read_token(file)
    assert "words" not in str(raised.value)


def test_an_endpoint_that_keeps_failing_is_left_alone_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene()
    failing = True
    seen_open: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen_open.append(scene.metrics.value("moderator_endpoint_open"))
        return await (status(500) if failing else answer({"hateful-conduct": 0.93}))(request)

    async def main() -> None:
        nonlocal failing
        async with scene.running(handler, retries=0) as endpoint:
            for number in range(FAILURES):
                endpoint.ask(0, [question(number)])
                await scene.until(lambda: scene.dropped == number + 1)  # noqa: B023  # waited for at once
            assert scene.slept == []
            assert scene.metrics.value("moderator_endpoint_open") == 1
            endpoint.ask(0, [question(7)])
            await scene.until(lambda: scene.dropped == FAILURES + 1)
            failing = False
            endpoint.ask(0, [question(8)])
            await scene.until(lambda: bool(scene.published))
            endpoint.ask(0, [question(9)])
            await scene.until(lambda: len(scene.published) == 2)

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    # One request is the trial; it fails and another pause begins; the next succeeds and all is as before.
    assert scene.slept == [PAUSE_SECONDS, PAUSE_SECONDS]
    assert seen_open == [0, 0, 0, 0, 0, 1, 1, 0]
    assert scene.metrics.value("moderator_endpoint_open") == 0
    assert [record.message for record in caplog.records if record.name == "worker.endpoint"] == [
        "an operator's model keeps failing; left alone",
        "an operator's model answers again",
    ]


def test_the_breaker_counts_failures_in_a_row_by_its_clock() -> None:
    now = 100.0
    breaker = Breaker(lambda: now)
    for ok in (*[False] * (FAILURES - 1), True, *[False] * (FAILURES - 1)):
        breaker.note(ok)
        assert not breaker.is_open
    breaker.note(False)
    assert breaker.is_open
    now += 10.0
    assert breaker.wait_seconds() == PAUSE_SECONDS - 10.0
    now += 20.0
    assert breaker.wait_seconds() == 0.0
    breaker.note(False)
    assert breaker.wait_seconds() == PAUSE_SECONDS
    breaker.note(True)
    assert (breaker.is_open, breaker.wait_seconds()) == (False, 0.0)


def test_what_cannot_be_published_is_dropped_and_the_next_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()

    async def main() -> None:
        async with scene.running(answer({"hateful-conduct": 0.93})) as endpoint:
            publish, fails = scene.publish, True

            async def failing(partition: int, outputs: Sequence[Output]) -> None:
                if fails:
                    raise RuntimeError("u0 and its text")
                await publish(partition, outputs)

            endpoint._publish = failing
            endpoint.ask(0, [question()])
            await scene.until(lambda: scene.dropped == 1)
            fails = False
            endpoint.ask(0, [question(1)])
            await scene.until(lambda: bool(scene.published))

    asyncio.run(main())
    assert "its text" not in caplog.text
    assert "RuntimeError" in str([record.__dict__.get("error") for record in caplog.records])


def test_nothing_of_a_post_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    with caplog.at_level(logging.DEBUG, logger="worker"):
        scene.ask_once(status(500), [question(0, "a private text")])
        scene.ask_once(answer({}), [question(0, "a private text")])
    ours = [str(record.__dict__) for record in caplog.records if record.name.startswith("worker")]
    assert not any("private" in line or "p0" in line or "u0" in line for line in ours)
