"""Start the app: settings, port, and the word when it is ready."""

from __future__ import annotations

import importlib
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

from mri_tumor.app.settings import configure
from mri_tumor.errors import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOCAL = ("localhost", "127.0.0.1", "::1")
_READY_WITHIN = 120.0


def serve(
    *,
    port: int = 8501,
    host: str = "localhost",
    models: Sequence[str] = ("brain-mri",),
    max_upload_mb: int = 200,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve the app until the process is told to stop.

    Parameters
    ----------
    port : int, default=8501
        Port to listen on; 0 takes a free one.
    host : str, default="localhost"
        Address to listen on. With another than this computer's own, whoever reaches it can use
        the app, and no folder of a model can be typed in.
    models : sequence of str, default=("brain-mri",)
        Folders or names of models to choose from.
    max_upload_mb : int, default=200
        Most megabytes of one file.
    on_ready : callable, optional
        Called with the address once a browser can be pointed at it.

    Raises
    ------
    BundleError
        If a model cannot be loaded.
    MissingExtraError
        If Streamlit is not installed.
    ParameterError
        If the port cannot be used.
    """
    try:
        from streamlit.web import bootstrap
    except ImportError as error:
        message = (
            "the app needs the package streamlit. Install it by: pip install 'mri-tumor[app]'"
        )
        raise MissingExtraError(message) from error
    from mri_tumor.app.models import open_model

    for name in models:
        open_model(name)  # an error now rather than in the browser, and warm for the first file
    local = host in _LOCAL
    configure(models=tuple(models), own_model=local, max_upload_mb=max_upload_mb)
    port = _free_port(host, port)
    keep_uploads_in_memory(max_upload_mb)
    flags = options(host=host, port=port, max_upload_mb=max_upload_mb)
    bootstrap.load_config_options(flags)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    threading.Thread(target=_tell, args=(host, port, url, on_ready), daemon=True).start()
    bootstrap.run(str(Path(__file__).with_name("script.py")), False, [], flags)


def options(*, host: str, port: int, max_upload_mb: int) -> dict[str, Any]:
    """Return Streamlit's options, which go before any file that configures it."""
    return {
        "server_address": host,
        "server_port": port,
        "server_headless": True,
        "server_fileWatcherType": "none",
        "server_runOnSave": False,
        "server_maxUploadSize": max_upload_mb,
        "server_enableStaticServing": False,
        "browser_gatherUsageStats": False,
        "browser_serverAddress": host,
        "client_showErrorDetails": "none",
        "client_toolbarMode": "minimal",
        "global_developmentMode": False,
        "logger_hideWelcomeMessage": True,
        "logger_level": "error",
    }


def keep_uploads_in_memory(max_upload_mb: int) -> None:
    """Keep the server's parser of uploads from using scratch files on disk."""
    try:
        from starlette.formparsers import MultiPartParser
    except ImportError:
        return  # older Streamlit serves by Tornado, which has uploads in memory
    # By default what is larger than 1 MB goes through a temporary file.
    MultiPartParser.spool_max_size = (max_upload_mb + 2) * 2**20


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raise if it is taken."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            return int(trial.getsockname()[1])
    except OSError as error:
        message = (
            f"port {port} of {host} cannot be used ({error.strerror or error}). Choose another by "
            "--port, or 0 for any that is free."
        )
        raise ParameterError(message) from None


def _warm() -> None:
    """Load what the first table and the first page would wait for."""
    for name in ("pandas", "pyarrow", "matplotlib.backends.backend_agg"):
        importlib.import_module(name)


def _tell(host: str, port: int, url: str, on_ready: Callable[[str], None]) -> None:
    """Wait until the server answers, then say so."""
    reach = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    end = time.monotonic() + _READY_WITHIN
    while time.monotonic() < end:
        try:
            with urlopen(f"http://{reach}:{port}/_stcore/health", timeout=5):
                on_ready(url)
                _warm()
                return
        except (URLError, OSError):
            time.sleep(0.05)
