"""The workers' event loop: a TLS connection closes although the other end says nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from pathlib import Path

from tests.kafka.secure import Authority
from worker.loop import Loop


def test_a_connection_closes_although_the_other_end_says_no_farewell(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.sendall(b"hello")
                ended.wait(20)  # as a broker that is busy: neither reads nor answers

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]

        async def talk() -> float:
            trusting = ssl.create_default_context(cafile=str(authority.certificate))
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            assert await reader.readexactly(5) == b"hello"
            began = time.monotonic()
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())], timeout=15)
            return time.monotonic() - began

        with asyncio.Runner(loop_factory=Loop) as runner:
            seconds = runner.run(talk())
        ended.set()
        thread.join()
    assert seconds < 10
