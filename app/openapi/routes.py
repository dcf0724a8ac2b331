"""Where the API describes itself: the document, and the same as a page."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue
from pydantic import StrictStr
from pydantic.json_schema import WithJsonSchema

from app.accounts.guard import open_to_all
from app.openapi.describe import chapter, documented
from app.openapi.document import document
from app.openapi.page import page_of_document

openapi_api = Blueprint("openapi_api", __name__, url_prefix="/api")
chapter(
    "openapi_api",
    "health_api",
    title="The shop itself",
    about="Whether it is well, and this description.",
)

_Document = Annotated[Any, WithJsonSchema({"type": "object", "description": "OpenAPI 3.1."})]
_Page = Annotated[StrictStr, WithJsonSchema({"type": "string", "description": "A page of HTML."})]


@openapi_api.get("/openapi.json")
@documented("Describe the API for programs", _Document)
@open_to_all
def openapi_json() -> ResponseReturnValue:
    return jsonify(document(current_app))


@openapi_api.get("/docs")
@documented("Describe the API for people", _Page, media_type="text/html")
@open_to_all
def docs() -> ResponseReturnValue:
    return render_template("api_docs/index.html", api=page_of_document(document(current_app)))
