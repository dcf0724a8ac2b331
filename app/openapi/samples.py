"""How to call an operation from a shell."""

from __future__ import annotations

import json
import shlex

from app.openapi.schemas import Json


def curl(path: str, method: str, operation: Json) -> str:
    """Write a curl command for an operation of the document. It finds the shop's root in $SHOP,
    and a token in $TOKEN.
    """
    default = "post" if "requestBody" in operation else "get"
    verb = [] if method == default else [f"-X {method.upper()}"]
    lines = [" ".join(["curl -s", *verb, f'"$SHOP{_filled(path, operation)}"'])]
    if security := operation["security"]:
        token = "$REFRESH_TOKEN" if "refresh" in security[0] else "$TOKEN"
        lines.append(f'-H "Authorization: Bearer {token}"')
    for parameter in operation["parameters"]:
        if parameter["in"] == "header":
            lines.append("-H " + shlex.quote(f"{parameter['name']}: {parameter['example']}"))
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["example"]
        lines.append("-H 'Content-Type: application/json'")
        lines.append("-d " + shlex.quote(json.dumps(body, ensure_ascii=False)))
    return " \\\n  ".join(lines)


def _filled(path: str, operation: Json) -> str:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    return path
