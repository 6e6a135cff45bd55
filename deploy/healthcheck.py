"""Exit code 0 when the worker in this container is alive, 1 when it is not; for the image's HEALTHCHECK."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    """Asks `/healthz` on the port of `MODERATOR_HTTP_PORT`, within three seconds."""
    port = int(os.environ.get("MODERATOR_HTTP_PORT") or 8000)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        sys.stdout.write(response.read(2000).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer on port {port}: {error}\n")
        return 1
    finally:
        connection.close()
    return 0 if response.status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
