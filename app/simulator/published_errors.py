"""Errors of the gateway that published tables name, and that nothing here brings about itself."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NO_PRODUCT: Final = (
    "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct match found"
)
_BUSY: Final = "System is busy. Please try again in few minutes."

# By a name of their own, since one code has many texts: status, errorCode and errorMessage. All
# are documented, "no_product" is recorded as well, and the two "unreachable" only recorded.
PUBLISHED_ERRORS: Final[Mapping[str, tuple[int, str, str]]] = MappingProxyType(
    {
        "invalid_token_400": (400, "400.003.01", "Invalid Access Token"),
        "no_product": (401, "401.003.01", _NO_PRODUCT),
        "spike_arrest": (500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
        "system_busy": (500, "500.003.02", _BUSY),
        "quota": (500, "500.003.03", "Quota Violation"),
        "quota_occurred": (500, "500.003.03", "Error Occurred: Quota Violation"),
        "internal": (500, "500.003.1001", "Internal Server Error"),
        "internal_stk": (500, "500.001.1001", "Internal Server Error"),
        "merchant_validate": (
            500,
            "500.001.1001",
            "[MerchantValidate] - Wrong credentials",
        ),
        "unreachable": (503, "", "Service is currently unreachable"),
        "unreachable_500": (500, "", "Service is currently unreachable"),
    }
)
