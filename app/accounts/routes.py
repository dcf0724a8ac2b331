"""JSON for accounts: register, sign in, refresh, sign out."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from flask_jwt_extended import get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, Field

from app.accounts import second_factor, service, sign_ins
from app.accounts.guard import open_to_all, require_person, signed_in
from app.accounts.models import Person
from app.accounts.roles import Role
from app.accounts.tokens import (
    access_token,
    refresh_token,
    sign_in_of_refresh_token,
    sign_in_of_request,
    take_from_browser,
)
from app.core.errors import Conflict, InvalidPhone, Unauthorized
from app.core.reading import parse
from app.limits import registration_limit, sign_in_limit
from app.openapi import Answer, chapter, documented, one_of

auth_api = Blueprint("auth_api", __name__, url_prefix="/api/auth")
chapter("auth_api", title="Accounts", about="Making an account, signing in and out.")

Email = Annotated[str, Field(examples=["wanjiku@example.com"])]
AccessToken = Annotated[str, Field(description="Good for an hour.", examples=["eyJhbGciOi…"])]


class RegisterBody(BaseModel):
    email: Email = Field(max_length=254)
    password: str = Field(
        max_length=service.PASSWORD_MAXIMUM,
        description=f"At least {service.PASSWORD_MINIMUM} characters.",
        examples=["a long enough password"],
    )
    name: str = Field(min_length=1, max_length=120, examples=["Wanjiku Kamau"])
    phone: str | None = Field(
        default=None,
        max_length=32,
        description="A Kenyan mobile number, as people write one.",
        examples=["0712345678"],
    )


class LoginBody(BaseModel):
    email: Email = Field(max_length=254)
    password: str = Field(max_length=service.PASSWORD_MAXIMUM, examples=["a long enough password"])
    otp: str = Field(
        default="",
        max_length=40,
        description="Where the account has a second factor: the six digits of the app, or a "
        "recovery code. Without it the answer is 401 with details.second_factor true.",
    )


class PersonAnswer(Answer):
    """Who is signed in. The phone is twelve digits."""

    id: int = Field(examples=[4])
    email: Email
    name: str = Field(examples=["Wanjiku Kamau"])
    role: Annotated[str, one_of(Role)]
    phone: str | None = Field(examples=["254712345678"])


class SignedInAnswer(Answer):
    """The tokens of a new sign-in, and whose it is."""

    access_token: AccessToken
    refresh_token: str = Field(
        description="Good for thirty days, and only for POST /api/auth/refresh.",
        examples=["eyJhbGciOi…"],
    )
    user: PersonAnswer


class RefreshedAnswer(Answer):
    """A new access token."""

    access_token: AccessToken


class SignedOutAnswer(Answer):
    """The sign-in has ended."""

    success: bool = True
    message: str = "Signed out"


@auth_api.post("/register")
@documented(
    "Make an account and sign in",
    {201: SignedInAnswer},
    body=RegisterBody,
    refusals=(InvalidPhone, Conflict),
)
@open_to_all
@registration_limit
def register() -> ResponseReturnValue:
    body = parse(request, RegisterBody)
    person = service.register(body.email, body.password, body.name, body.phone)
    return jsonify(_tokens_for(person).model_dump()), 201


@auth_api.post("/login")
@documented("Sign in", SignedInAnswer, body=LoginBody, refusals=(Unauthorized,))
@open_to_all
@sign_in_limit
def login() -> ResponseReturnValue:
    body = parse(request, LoginBody)
    person = service.authenticate(body.email, body.password)
    has_second_factor = person.has_second_factor
    if has_second_factor:
        second_factor.check(person, body.otp)
    return jsonify(_tokens_for(person, second_factor=has_second_factor).model_dump())


@auth_api.post("/refresh")
@documented("Get a new access token", RefreshedAnswer, entry="refresh")
@open_to_all
def refresh() -> ResponseReturnValue:
    """Give a new access token to whoever sends a refresh token of an open sign-in."""
    try:
        verify_jwt_in_request(refresh=True, locations=["headers"])
    except (JWTExtendedException, PyJWTError, UnicodeError) as error:
        raise Unauthorized("Send a refresh token as Authorization: Bearer <token>.") from error
    sign_in_uuid = sign_in_of_refresh_token(get_jwt())
    person = sign_ins.person_of(sign_in_uuid) if sign_in_uuid else None
    if person is None or sign_in_uuid is None:
        raise Unauthorized("This sign-in has ended. Sign in again.")
    answer = RefreshedAnswer(access_token=access_token(sign_in_uuid, person.uuid))
    return jsonify(answer.model_dump())


@auth_api.post("/logout")
@documented("Sign out", SignedOutAnswer, about="The sign-in's tokens stop working at once.")
@signed_in
def logout() -> ResponseReturnValue:
    """End the sign-in of this token: its access and refresh tokens stop working at once."""
    sign_in_uuid = sign_in_of_request()
    if sign_in_uuid:
        sign_ins.end(sign_in_uuid)
    response = jsonify(SignedOutAnswer().model_dump())
    take_from_browser(response)
    return response


@auth_api.get("/me")
@documented("Tell who is signed in", PersonAnswer)
@signed_in
def me() -> ResponseReturnValue:
    return jsonify(_told(require_person()).model_dump())


def _told(person: Person) -> PersonAnswer:
    return PersonAnswer(
        id=person.id,
        email=person.email,
        name=person.name,
        role=person.role,
        phone=person.phone,
    )


def _tokens_for(person: Person, *, second_factor: bool = False) -> SignedInAnswer:
    user = _told(person)
    person_uuid = person.uuid
    program = request.headers.get("User-Agent")
    sign_in = sign_ins.start(person.id, request.remote_addr, program, second_factor=second_factor)
    return SignedInAnswer(
        access_token=access_token(sign_in.uuid, person_uuid),
        refresh_token=refresh_token(sign_in.uuid, person_uuid),
        user=user,
    )
