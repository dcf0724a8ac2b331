"""What the document says before its first operation."""

from __future__ import annotations

from app.accounts.tokens import ACCESS_LIFETIME
from app.openapi.schemas import Json

VERSION = "0.1.0"
TITLE = "Lipa"
_MINUTES = int(ACCESS_LIFETIME.total_seconds() // 60)

ABOUT = f"""\
M-Pesa payments that a shop runs itself. Five dialects speak to the same orders and payments; \
take the one that your program was written for.

**Addresses** answer with and without a slash at the end, never by redirect.

**Signing in.** `POST /api/auth/login` gives an access token for {_MINUTES} minutes. Send it as \
`Authorization: Bearer <token>` or `Authorization: JWT <token>`, which mean the same. The cookie \
of a signed-in browser counts too; what it changes must come from the shop's own pages.

**Money** is Kenyan shillings. Amounts that you send are whole shillings, as a number or as text: \
`1500`, `"1500"` and `1500.00` are the same, while `10.50`, `-1`, `1e3` and `true` are refused, \
never rounded. Each answer says in which form it tells money.

**Names.** An order is named by its number or its UUID, a payment by its integer, its UUID or its \
`TXN…` name. What is somebody else's is 404.

**Times** are UTC as `2026-11-21T09:00:00Z`, unless a field says otherwise.

**Keys that nobody knows** are passed over in what you send. Expect new ones in what you read.

**Errors** have one body on every path, the schema `Error`; branch on its `code`. 502 means that \
M-Pesa refused, 503 that it was not reached: in both cases nothing was sent to the phone. A push \
whose fate is unknown is no error: it is 202, with null ids and status pending. Repeat it without \
fear; no second prompt is sent while the first may be on the phone.

**Trying again.** 429, 503 and some 409 say in `Retry-After` after how many seconds. A `POST` \
that moves money takes the header `Idempotency-Key`: the same request with the same key, for two \
days, hears its first answer, with `Idempotency-Replayed: true`, and is carried out once.

Every answer names itself in `X-Request-ID`; the shop's log knows it by that name.
"""

SECURITY_SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token: Authorization: Bearer <token>.",
    },
    "jwt": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The same token behind another word: Authorization: JWT <token>.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "access_token_cookie",
        "description": "What a browser holds after signing in on the page. A request that changes "
        "something must come from the shop's own origin.",
    },
    "refresh": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A refresh token, which gets new access tokens and nothing else.",
    },
}
