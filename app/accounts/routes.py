"""JSON for accounts: register, sign in, refresh, sign out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from flask_jwt_extended import get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, Field

from app.accounts import service
from app.accounts.guard import open_to_all, require_person, signed_in
from app.accounts.models import Person
from app.accounts.tokens import (
    access_token,
    refresh_token,
    sign_in_of_refresh_token,
    sign_in_of_request,
    take_from_browser,
)
from app.core.errors import Unauthorized
from app.core.reading import parse
from app.limits import registration_limit, sign_in_limit

auth_api = Blueprint("auth_api", __name__, url_prefix="/api/auth")


class RegisterBody(BaseModel):
    email: str = Field(max_length=254)
    password: str = Field(max_length=service.PASSWORD_MAXIMUM)
    name: str = Field(min_length=1, max_length=120)
    phone: str | None = Field(default=None, max_length=32)


class LoginBody(BaseModel):
    email: str = Field(max_length=254)
    password: str = Field(max_length=service.PASSWORD_MAXIMUM)


@auth_api.post("/register")
@open_to_all
@registration_limit
def register() -> ResponseReturnValue:
    body = parse(request, RegisterBody)
    person = service.register(body.email, body.password, body.name, body.phone)
    return jsonify(_tokens_for(person)), 201


@auth_api.post("/login")
@open_to_all
@sign_in_limit
def login() -> ResponseReturnValue:
    body = parse(request, LoginBody)
    return jsonify(_tokens_for(service.authenticate(body.email, body.password)))


@auth_api.post("/refresh")
@open_to_all
def refresh() -> ResponseReturnValue:
    """Give a new access token to whoever sends a refresh token of an open sign-in."""
    try:
        verify_jwt_in_request(refresh=True, locations=["headers"])
    except (JWTExtendedException, PyJWTError, UnicodeError) as error:
        raise Unauthorized("Send a refresh token as Authorization: Bearer <token>.") from error
    sign_in_uuid = sign_in_of_refresh_token(get_jwt())
    person = service.person_of_sign_in(sign_in_uuid) if sign_in_uuid else None
    if person is None or sign_in_uuid is None:
        raise Unauthorized("This sign-in has ended. Sign in again.")
    return jsonify(access_token=access_token(sign_in_uuid, person.uuid))


@auth_api.post("/logout")
@signed_in
def logout() -> ResponseReturnValue:
    """End the sign-in of this token: its access and refresh tokens stop working at once."""
    verify_jwt_in_request()
    sign_in_uuid = sign_in_of_request()
    if sign_in_uuid:
        service.end_sign_in(sign_in_uuid)
    response = jsonify(success=True, message="Signed out")
    take_from_browser(response)
    return response


@auth_api.get("/me")
@signed_in
def me() -> ResponseReturnValue:
    return jsonify(person_json(require_person()))


def person_json(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "role": person.role,
        "phone": person.phone,
    }


def _tokens_for(person: Person) -> dict[str, Any]:
    user = person_json(person)
    person_uuid = person.uuid
    sign_in = service.start_sign_in(
        person.id, request.remote_addr, request.headers.get("User-Agent")
    )
    return {
        "access_token": access_token(sign_in.uuid, person_uuid),
        "refresh_token": refresh_token(sign_in.uuid, person_uuid),
        "user": user,
    }
