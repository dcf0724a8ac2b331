"""Lipa: M-Pesa payments that a shop can run itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application from settings; without any, from the environment and ``.env``,
    and from the database where they do not say which M-Pesa environment this is.

    Settings that cannot be right, production without its secrets among them, end the program.
    """
    # Inside, so that app.greenlets can be imported before anything that it has to change.
    from flask import Flask

    from app import assembly
    from app.config import ROOT
    from app.settings.at_start import settings_at_start

    settings = settings or settings_at_start()
    app = Flask("app", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    assembly.configure(app, settings)
    assembly.bind_extensions(app, settings)
    assembly.register_rooms(app, settings)
    assembly.install_layers(app, settings)
    return app
