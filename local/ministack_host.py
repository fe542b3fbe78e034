"""The process in which the embedded AWS runs: MiniStack with the laptop's ECS.

Started by `local.embedded` and by nobody else. It binds 127.0.0.1 before MiniStack is imported
(MiniStack reads its port from the environment then), tells its starter the port in one line of
JSON, and serves until it is killed. It must never listen on another address.
"""

import argparse
import asyncio
import json
import logging
import os
import socket

from local import lambdas
from local.ecs.install import install


def main() -> None:
    """Binds, announces, serves."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--draining-seconds", type=float, default=0.0)
    options = arguments.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=512)
    port = listener.getsockname()[1]
    os.environ["GATEWAY_PORT"] = str(port)
    store = install(options.draining_seconds)
    lambdas.install()
    # MiniStack looks at its schedules every ten seconds; a rule of a minute would take seventy.
    store.bus._SCHEDULER_TICK_INTERVAL = 1
    os.write(1, json.dumps({"port": port}).encode() + b"\n")
    os.dup2(2, 1)  # whatever else is printed is log
    asyncio.run(_serve(listener))


async def _serve(listener: socket.socket) -> None:
    # Imported late: MiniStack reads the environment when it is imported.
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    logging.getLogger("hypercorn.access").disabled = True
    await serve(app, config)


if __name__ == "__main__":
    main()
