"""The API described as OpenAPI."""

from __future__ import annotations

import json

from fastapi import FastAPI

from pipeline.console.api.v1 import router

VERSION = "1"


def document_text() -> str:
    """The document as it is published in docs/schema/openapi.json."""
    app = FastAPI(title="gridwatch", version=VERSION)
    app.include_router(router)
    return json.dumps(app.openapi(), ensure_ascii=False, indent=2) + "\n"
