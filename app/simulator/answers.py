"""What is left of an answer when the plan spoils it."""

import socket

from flask import Response, g, request

from app.simulator.faults import (
    bad_gateway_page,
    duplicate,
    firewall_page,
    internal_error,
    maintenance,
    rate_limited,
)
from app.simulator.plans import Plan


def turned_away(plan: Plan) -> Response | None:
    """The answer to a request that the plan keeps from being processed; raises DarajaFault."""
    why = "A scenario said so; the request was not processed."
    match plan.answer:
        case "server_error":
            raise internal_error(why)
        case "maintenance":
            raise maintenance(why)
        case "firewall":
            answer = firewall_page()
        case "rate_limited":
            answer = rate_limited()
        case "empty_400":
            answer = Response(status=400)
        case "dropped_unread":
            drop_connection()
            answer = Response()
        case _:
            return None
    g.why = why
    return answer


def spoilt(answer: Response, plan: Plan) -> Response:
    """What is left of the answer to a request that was processed; raises DarajaFault."""
    if plan.answer == "ordinary":
        return answer
    g.why = why = "A scenario spoilt the answer; the request was processed."
    match plan.answer:
        case "dropped":
            drop_connection()
        case "empty_500":
            return Response(status=500)
        case "bad_gateway":
            return bad_gateway_page()
        case "cut_short":
            body = answer.get_data()
            answer.set_data(body[: len(body) // 2])
        case "duplicate":
            raise duplicate(why)
    return answer


def drop_connection() -> None:
    """Close the caller's socket under the answer, which then goes nowhere."""
    g.dropped = True
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
