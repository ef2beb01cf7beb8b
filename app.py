"""Forbli: `streamlit run app.py`. The frame around the pages is `core/ui/shell.py`."""

from pathlib import Path

import streamlit as st
from starlette.routing import Route

from core.ui.shell import HEALTH, failed, first_page, health, lifespan

SHELL = Path(__file__).parent / "core" / "ui" / "shell.py"
app = st.App(
    SHELL,
    lifespan=lifespan,
    routes=[Route(HEALTH, health), Route("/overview", first_page)],
    on_script_error=failed,
)
