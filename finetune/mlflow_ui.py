"""Opens MLflow's page on the tracking store of the settings: `make mlflow`, or `python -m finetune.mlflow_ui`."""

from __future__ import annotations

import os
import sys

from finetune.tracking import TrackingError, client_of, experiment_id, shown_uri, tracking_uri
from workbench.settings import Settings, get_settings

PORT = 5000


def command(settings: Settings, port: int) -> list[str] | None:
    """The server to run; None where the store is a server of its own, whose page is already there.

    Args:
        settings: Where the store is.
        port: Of the page, on loopback.
    """
    uri = tracking_uri(settings)
    if uri.startswith(("http://", "https://", "databricks")):
        return None
    page = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, *page]


def main() -> None:
    """Prints the address and becomes the server."""
    settings = get_settings()
    try:
        port = int(os.environ.get("MLFLOW_PORT", PORT))
        experiment_id(client_of(settings), settings)
    except (TrackingError, ValueError) as error:
        sys.exit(f"mlflow: {error}")
    run = command(settings, port)
    if run is None:
        print(f"open {shown_uri(tracking_uri(settings))} in a browser")
        return
    print(f"MLflow on http://127.0.0.1:{port}, store {shown_uri(tracking_uri(settings))}", flush=True)
    os.execve(run[0], run, os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"})


if __name__ == "__main__":
    main()
