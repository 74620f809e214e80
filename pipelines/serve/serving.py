"""Serving the page until it is stopped: the socket, the printed address, the server."""

import socket
from collections.abc import Callable, Sequence

import uvicorn

from curation.errors import UsageError
from pipelines.serve.app import application
from pipelines.serve.guard import accepted_hosts, addresses, new_token
from pipelines.serve.served import served

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    folders: Sequence[str], host: str, port: int, labels: str, tell: Callable[[str], None], ready: Callable[[str, Sequence[str]], None]
) -> None:
    """Serve runs until interrupted; `ready` receives the address and the runs' names. Raises UsageError if the port is taken."""
    what = served(folders, labels)
    with _listening(host, port) as listening:
        taken = listening.getsockname()[1]
        token, hosts = new_token(), accepted_hosts(host, taken)
        application_guarded = application(what, token, hosts, f"curate-{taken}")
        if host not in LOOPBACK:
            tell(f"Anyone who can reach {host} and learns the token can read these runs; nothing is encrypted.")
        shown = next(address for address in addresses(hosts, token) if f"//{host}" in address or host == "::1")
        ready(shown, list(what.runs))
        settings = uvicorn.Config(application_guarded, log_level="error", access_log=False, server_header=False, lifespan="off", ws="none")
        uvicorn.Server(settings).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UsageError(f"{host}:{port} cannot be served ({error.strerror or error}); choose another --port, or 0 for any") from error
    return listening
