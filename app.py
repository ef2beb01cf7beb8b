"""Forbli: `streamlit run app.py`. The frame around the pages is `core/ui/shell.py`."""

from pathlib import Path

import streamlit as st

from core.ui.shell import lifespan

app = st.App(Path(__file__).parent / "core" / "ui" / "shell.py", lifespan=lifespan)
