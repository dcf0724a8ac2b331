"""JSON for products, orders and courses."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StrictInt

from app.accounts.guard import admin_only, open_to_all, require_person, signed_in
from app.core.clock import iso_seconds
from app.core.money import cents_from_shillings, shillings_number
from app.core.reading import page_of, parse
from app.orders import products, service
from app.orders.models import Kind, Product

shop_api = Blueprint("shop_api", __name__, url_prefix="/api")


class ProductBody(BaseModel):
    name: str = Field(min_length=1, max_length=120)
    kind: Kind = Kind.GOODS
    price: Any
    stock: StrictInt | None = Field(default=None, ge=0, le=1_000_000)
    description: str = Field(default="", max_length=2000)


class ProductChanges(BaseModel):
    """What is not sent stays as it is. Only the stock may be null, which is unlimited."""

    name: str = Field(default="", min_length=1, max_length=120)
    price: Any = None
    stock: StrictInt | None = Field(default=None, ge=0, le=1_000_000)
    description: str = Field(default="", max_length=2000)


@shop_api.get("/products")
@open_to_all
def list_products() -> ResponseReturnValue:
    page, per_page = page_of(request)
    found, total = service.list_products(page, per_page)
    return jsonify(results=[product_json(product) for product in found], total=total, page=page)


@shop_api.get("/products/<int:product_id>")
@open_to_all
def get_product(product_id: int) -> ResponseReturnValue:
    return jsonify(product_json(service.find_product(product_id)))


@shop_api.post("/products")
@admin_only
def create_product() -> ResponseReturnValue:
    body = parse(request, ProductBody)
    product = products.create(
        name=body.name,
        kind=body.kind,
        price_cents=cents_from_shillings(body.price, "price"),
        stock=body.stock,
        description=body.description,
    )
    return jsonify(product_json(product)), 201


@shop_api.patch("/products/<int:product_id>")
@admin_only
def change_product(product_id: int) -> ResponseReturnValue:
    body = parse(request, ProductChanges)
    changes = body.model_dump(exclude_unset=True, exclude={"price"})
    if "price" in body.model_fields_set:
        changes["price_cents"] = cents_from_shillings(body.price, "price")
    return jsonify(product_json(products.change(product_id, changes)))


@shop_api.get("/courses/mine")
@signed_in
def my_courses() -> ResponseReturnValue:
    places = service.courses_of(require_person())
    return jsonify(
        results=[
            {
                "course_id": place.product_id,
                "course": place.course.name,
                "enrolled_at": iso_seconds(place.created_at),
            }
            for place in places
        ],
        total=len(places),
    )


def product_json(product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "name": product.name,
        "kind": product.kind,
        "price": shillings_number(product.price_cents),
        "currency": "KES",
        "stock": product.stock,
        "description": product.description,
    }
