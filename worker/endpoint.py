"""An operator's own model over HTTP, asked about the posts of which the pack's models are unsure.

Nothing waits for it: questions go out after their batch is published, and answers come back as records on `findings`
(see `worker.engine.model_findings`). Whatever the other side does, slow, silent or wrong, costs second opinions only.
The exchange is described in docs/models.md; no id of a post or an account leaves the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import aiohttp
from aiokafka.errors import KafkaError
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json

from schemas.base import encode
from worker.adapters import kafka
from worker.engine.model_findings import finding_of
from worker.engine.records import Output, Question
from worker.settings import PREFIX, SettingsError
from worker.transactions import AcknowledgedPublisher

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from worker.ports import ShellMetrics
    from worker.settings import Settings

log = logging.getLogger(__name__)

BATCH = 32  # texts in one request
ROOM = 2_000  # questions that wait; what comes above is dropped
LARGEST_ANSWER = 1024 * 1024  # bytes
FAILURES = 5  # in a row, after which it is left alone
PAUSE_SECONDS = 30.0  # until one request tries again

_BACKOFF_SECONDS = 0.1
_LONGEST_TOKEN = 8 * 1024
_TOO_MANY = 429
_STOP_SECONDS = 2.0

Publish = Callable[[int, Sequence[Output]], Awaitable[None]]


class Breaker:
    """Says how long to leave somebody alone who keeps failing. One user: a trial is one request by itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the last requests failed, also while a trial is under way."""
        return self._until is not None

    def wait_seconds(self) -> float:
        """How long no request may be made; 0 when one may."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    def note(self, ok: bool) -> None:
        """Takes how a request ended."""
        if ok:
            self._failures, self._until = 0, None
            return
        self._failures += 1
        if self._failures >= FAILURES:
            self._until = self._clock() + PAUSE_SECONDS


class _Scored(BaseModel):
    id: str
    scores: dict[str, Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]]


class _Answer(BaseModel):
    scores: list[_Scored]


class _Ended(NamedTuple):
    """How a request ended: a value of the label `result`, the scores of each text, and whether to ask again."""

    result: str
    scores: Sequence[Mapping[str, float]] = ()
    again: bool = False


class ModelEndpoint:
    """Implements `worker.ports.SecondOpinion`: a bounded queue, and one request at a time.

    Args:
        url: where requests are posted.
        publish: publishes findings to a partition number.
        metrics: counts requests and what was dropped.
        timeout_seconds: of one request, its answer included.
        retries: how often a request is made again that nobody answered, or that was answered with 429 or 5xx.
        token_file: holds a bearer token; read for each request, so that it can be changed.
        room: questions that may wait.
        clock: of the breaker, seconds.
        sleep: waits between requests.
    """

    def __init__(
        self,
        url: str,
        publish: Publish,
        metrics: ShellMetrics,
        *,
        timeout_seconds: float = 2.0,
        retries: int = 2,
        token_file: Path | None = None,
        room: int = ROOM,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._publish = publish
        self._metrics = metrics
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._retries = retries
        self._token_file = token_file
        self._queue: asyncio.Queue[tuple[int, Question]] = asyncio.Queue(room)
        self._breaker = Breaker(clock)
        self._sleep = sleep

    def ask(self, partition: int, questions: Sequence[Question]) -> None:
        """As `SecondOpinion.ask`; the newest are dropped when there is no room."""
        for place, question in enumerate(questions):
            try:
                self._queue.put_nowait((partition, question))
            except asyncio.QueueFull:
                self._drop(len(questions) - place)
                return

    async def run(self) -> None:
        """Asks until it is cancelled."""
        # Nothing of one answer reaches the next request, and what is compressed is no answer: it has no bound.
        async with aiohttp.ClientSession(
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        ) as session:
            while True:
                asked = [await self._queue.get()]
                while len(asked) < BATCH and not self._queue.empty():
                    asked.append(self._queue.get_nowait())
                try:
                    answered = await self._asked(session, asked)
                except Exception as error:  # noqa: BLE001  # a second opinion is lost, and nothing else may be
                    log.warning(
                        "what an operator's model said is lost", extra={"error": type(error).__name__}
                    )
                    answered = False
                if not answered:
                    self._drop(len(asked))

    async def _asked(self, session: aiohttp.ClientSession, asked: Sequence[tuple[int, Question]]) -> bool:
        """Asks, again where that may help, and publishes; whether there was an answer."""
        questions = [question for _, question in asked]
        for attempt in range(self._retries + 1):
            if attempt:
                jitter = random.uniform(0.5, 1.5)  # noqa: S311  # spreads load, keeps no secret
                await self._sleep(_BACKOFF_SECONDS * 2 ** (attempt - 1) * jitter)
            if wait := self._breaker.wait_seconds():
                await self._sleep(wait)
            began = time.perf_counter()
            ended = await self._request(session, questions)
            self._metrics.observe_endpoint(ended.result, time.perf_counter() - began)
            self._note(ended.result)
            if ended.result == "ok":
                await self._answered(asked, ended.scores)
                return True
            if not ended.again:
                return False
        return False

    async def _request(self, session: aiohttp.ClientSession, questions: Sequence[Question]) -> _Ended:
        texts = [
            {"id": str(place), "text": question.text, "lang": question.lang}
            for place, question in enumerate(questions)
        ]
        headers = {"Content-Type": "application/json"}
        try:
            if self._token_file is not None:
                headers["Authorization"] = f"Bearer {read_token(self._token_file)}"
            async with session.post(
                self._url, data=to_json({"texts": texts}), headers=headers, allow_redirects=False
            ) as response:
                if response.status != 200:
                    failed = response.status >= 500
                    return _Ended(
                        "error" if failed else "refused", again=failed or response.status == _TOO_MANY
                    )
                body = await _limited(response)
        except TimeoutError:
            return _Ended("timeout", again=True)
        except (aiohttp.ClientError, OSError, SettingsError):
            return _Ended("error", again=True)
        scores = None if body is None else _scores(body, len(questions))
        return _Ended("malformed") if scores is None else _Ended("ok", scores)

    async def _answered(
        self, asked: Sequence[tuple[int, Question]], scores: Sequence[Mapping[str, float]]
    ) -> None:
        outputs: dict[int, list[Output]] = {}
        unknown = 0
        for (partition, question), given in zip(asked, scores, strict=True):
            unknown += len(given.keys() - question.reviews.keys())
            for policy, least in question.reviews.items():
                probability = round(given.get(policy, 0.0), 4)
                if probability >= least:
                    finding = finding_of(question, policy, probability)
                    outputs.setdefault(partition, []).append(
                        Output("findings", question.account_id.encode(), encode(finding))
                    )
        if unknown:
            self._metrics.count("moderator_endpoint_unknown_total", by=unknown)
        for partition, findings in outputs.items():
            await self._publish(partition, findings)

    def _note(self, result: str) -> None:
        before = self._breaker.is_open
        self._breaker.note(result == "ok")
        if self._breaker.is_open != before:
            self._metrics.set_endpoint_open(not before)
            if before:
                log.info("an operator's model answers again")
            else:
                log.warning("an operator's model keeps failing; left alone", extra={"result": result})

    def _drop(self, count: int) -> None:
        self._metrics.count("moderator_endpoint_dropped_total", by=count)


async def connect(settings: Settings, metrics: ShellMetrics, stack: AsyncExitStack) -> ModelEndpoint | None:
    """The endpoint of the settings with a producer of its own, which the stack stops; None where none is set."""
    if not settings.model_url:
        return None
    producer = kafka.producer(settings)
    await producer.start()
    stack.push_async_callback(_stop, producer)

    async def publish(partition: int, outputs: Sequence[Output]) -> None:
        # Outside of any transaction: by then the batch that the questions come from is committed.
        await AcknowledgedPublisher(settings, partition, producer, _nothing_read).publish(outputs, {}, {})

    log.info("an operator's model is asked about uncertain posts")
    return ModelEndpoint(
        settings.model_url,
        publish,
        metrics,
        timeout_seconds=settings.model_timeout,
        retries=settings.model_retries,
        token_file=settings.model_token_file,
    )


async def _stop(producer: AIOKafkaProducer) -> None:
    """Closes it within the time that a stop may take, also when the broker is away: what is left are opinions."""
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.stop()


def read_token(path: Path) -> str:
    """The bearer token in a file, without white space around it.

    Raises:
        SettingsError: there is no such file, or no token in it; the message does not quote it.
    """
    try:
        with path.open("rb") as file:
            token = file.read(_LONGEST_TOKEN + 1).strip()
    except OSError as error:
        raise SettingsError(f"{PREFIX}MODEL_TOKEN_FILE: {error.strerror}: {path}") from None
    if not token or len(token) > _LONGEST_TOKEN or not all(33 <= byte <= 126 for byte in token):
        raise SettingsError(f"{PREFIX}MODEL_TOKEN_FILE: {path} holds no token, one word of printable ASCII")
    return token.decode()


def _nothing_read(topic: str, partition: int, offset: int) -> None:
    """No offset is committed with findings."""


async def _limited(response: aiohttp.ClientResponse) -> bytes | None:
    """The body, None when it is larger than an answer may be or compressed."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            return None
    return bytes(body)


def _scores(body: bytes, texts: int) -> list[Mapping[str, float]] | None:
    """The scores of each text, in the order of the request; None when the answer is not one for each of them."""
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError:
        return None
    found = {scored.id: scored.scores for scored in answer.scores}
    places = [str(place) for place in range(texts)]
    if len(found) != len(answer.scores) or found.keys() != set(places):
        return None
    return [found[place] for place in places]
