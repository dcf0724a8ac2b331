"""JSON for products, orders and courses."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from app.accounts.guard import open_to_all, require_person, signed_in, staff_only
from app.accounts.roles import May
from app.core.clock import iso_seconds
from app.core.errors import InvalidAmount
from app.core.money import cents_from_shillings, shillings_number
from app.core.reading import page_of, parse
from app.openapi import Answer, Moment, chapter, documented, one_of
from app.orders import products, service
from app.orders.models import Enrolment, Kind, Product
from app.orders.product_fields import ProductBody, ProductChanges

shop_api = Blueprint("shop_api", __name__, url_prefix="/api")
chapter(
    "shop_api",
    "orders_api",
    title="Products and orders",
    about="What is for sale, and what somebody wants of it. Money is told in shillings.",
)


class ProductAnswer(Answer):
    """Something for sale. ``stock`` counts what is free to sell; null is unlimited."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Kiondo basket"])
    kind: Annotated[str, one_of(Kind)]
    price: int | float = Field(description="Shillings.", examples=[1500])
    currency: Annotated[str, one_of(["KES"])] = "KES"
    stock: int | None = Field(examples=[40])
    description: str = Field(examples=["Sisal, woven by hand"])


class ProductsAnswer(Answer):
    """One page of what is for sale, and how many products there are in all."""

    results: list[ProductAnswer]
    total: int = Field(examples=[1])
    page: int = Field(examples=[1])


class PlaceAnswer(Answer):
    """A place in a course that was paid."""

    course_id: int = Field(examples=[14])
    course: str = Field(examples=["German A1, evenings"])
    enrolled_at: Moment


class PlacesAnswer(Answer):
    """Every place that the caller has, newest first."""

    results: list[PlaceAnswer]
    total: int = Field(examples=[1])


@shop_api.get("/products")
@documented("List the products", ProductsAnswer, pages=20)
@open_to_all
def list_products() -> ResponseReturnValue:
    page, per_page = page_of(request)
    found, total = service.list_products(page, per_page)
    answer = ProductsAnswer(results=[_told(one) for one in found], total=total, page=page)
    return jsonify(answer.model_dump())


@shop_api.get("/products/<int:product_id>")
@documented("Read a product", ProductAnswer)
@open_to_all
def get_product(product_id: int) -> ResponseReturnValue:
    return jsonify(_told(service.find_product(product_id)).model_dump())


@shop_api.post("/products")
@documented(
    "Put a product on the shelf", {201: ProductAnswer}, body=ProductBody, refusals=(InvalidAmount,)
)
@staff_only(May.KEEP_SHOP)
def create_product() -> ResponseReturnValue:
    body = parse(request, ProductBody)
    product = products.create(
        require_person(),
        name=body.name,
        kind=body.kind,
        price_cents=cents_from_shillings(body.price, "price"),
        stock=body.stock,
        description=body.description,
    )
    return jsonify(_told(product).model_dump()), 201


@shop_api.patch("/products/<int:product_id>")
@documented(
    "Change a product",
    ProductAnswer,
    body=ProductChanges,
    refusals=(InvalidAmount,),
    about="What is not sent stays as it is. Orders that were placed keep their prices.",
)
@staff_only(May.KEEP_SHOP)
def change_product(product_id: int) -> ResponseReturnValue:
    body = parse(request, ProductChanges)
    changes = body.model_dump(exclude_unset=True, exclude={"price"})
    if "price" in body.model_fields_set:
        changes["price_cents"] = cents_from_shillings(body.price, "price")
    product = products.change(product_id, changes, require_person())
    return jsonify(_told(product).model_dump())


@shop_api.get("/courses/mine")
@documented("List the caller's places in courses", PlacesAnswer)
@signed_in
def my_courses() -> ResponseReturnValue:
    places = [_place(place) for place in service.courses_of(require_person())]
    return jsonify(PlacesAnswer(results=places, total=len(places)).model_dump())


def _told(product: Product) -> ProductAnswer:
    return ProductAnswer(
        id=product.id,
        name=product.name,
        kind=product.kind,
        price=shillings_number(product.price_cents),
        stock=product.stock,
        description=product.description,
    )


def _place(place: Enrolment) -> PlaceAnswer:
    return PlaceAnswer(
        course_id=place.product_id,
        course=place.course.name,
        enrolled_at=iso_seconds(place.created_at),
    )
