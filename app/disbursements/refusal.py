"""What a program is told of a refund that M-Pesa refused while it waited."""

from __future__ import annotations

from app.core.errors import ProviderRefused
from app.core.texts import marked
from app.disbursements.models import Disbursement
from app.disbursements.states import OutStatus


def require_not_refused(refund: Disbursement) -> None:
    """Raise ProviderRefused for a refund that M-Pesa has refused by now, with its own words."""
    if refund.status != OutStatus.FAILED:
        return
    raise ProviderRefused(
        marked("M-Pesa refused the refund: nothing was sent back."),
        details={
            "refund_id": refund.public_ref,
            "provider_code": refund.result_code,
            "provider_message": refund.result_desc,
        },
    )
