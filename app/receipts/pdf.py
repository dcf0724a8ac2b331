"""A receipt as a PDF: one A5 page for a usual order, in the language of whoever asks for it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import cast

import segno
from flask_babel import gettext as _
from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, XPos, YPos
from fpdf.fonts import TTFFont

from app.core.clock import nairobi
from app.languages import in_readers_language, language, moment, money
from app.mpesa.phone import masked
from app.receipts.service import Receipt, Received, Returned

_FONTS = Path(__file__).parent / "fonts"
_FAMILY = "DejaVu"
#: Millimetres.
_A5 = (148.0, 210.0)
_MARGIN, _LINE, _GAP, _QR = 12.0, 5.5, 3.0, 28.0
_INK, _SOFT, _RULE = (20, 24, 22), (90, 98, 94), (200, 206, 202)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def draw(
    receipt: Receipt,
    shop_name: str,
    *,
    shared: bool = False,
    link: str | None = None,
    compress: bool = True,
) -> bytes:
    """Return a receipt as the bytes of a PDF.

    ``shared`` leaves out what a stranger must not see: whole names and phones. ``link`` is the
    address of the shared receipt, drawn as a QR code where there is one.
    """
    sheet = _Sheet(receipt, shop_name, shared)
    sheet.set_compression(compress)
    sheet.write_all(link)
    return bytes(sheet.output())


class _Sheet(FPDF):
    """The page as it is written from top to bottom."""

    def __init__(self, receipt: Receipt, shop_name: str, shared: bool) -> None:
        super().__init__(format=_A5)
        self._receipt, self._shop, self._shared = receipt, shop_name, shared
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, _MARGIN)
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font(_FAMILY, style, _FONTS / name)
        self.set_font(_FAMILY)
        self._letters = frozenset(cast("TTFFont", self.current_font).cmap)
        self.set_title(self._printable(_("Receipt %(number)s", number=receipt.number)))
        self.set_author(self._printable(shop_name))
        self.set_lang(language())
        self.set_creation_date(nairobi(receipt.received[-1].at))
        self.add_page()

    def write_all(self, link: str | None) -> None:
        """Write the receipt, part by part."""
        self._head()
        many = len(self._receipt.received) > 1
        for received in self._receipt.received:
            self._money_in(received, with_amount=many)
        self._about()
        self._lines()
        self._sums()
        for returned in self._receipt.returned:
            self._money_out(returned)
        if link:
            self._code_of(link)

    def _head(self) -> None:
        self._centred(self._shop, 13, bold=True)
        self._centred(_("Receipt"), 10, soft=True)
        self._centred(self._receipt.number, 9, soft=True)

    def _money_in(self, received: Received, *, with_amount: bool) -> None:
        self._rule()
        self._centred(_("M-Pesa code"), 9, soft=True)
        self._centred(received.code or _("on its way"), 18, bold=True)
        if with_amount:
            self._pair(_("Amount"), money(received.amount_cents, decimals=True))
        self._pair(_("Paid"), moment(received.at))
        if received.phone and not self._shared:
            self._pair(_("Paid from"), masked(received.phone))
        self._pair(_("Method"), _("M-Pesa, by hand") if received.by_hand else "M-Pesa")

    def _about(self) -> None:
        self._rule()
        receipt = self._receipt
        name = receipt.first_name if self._shared else receipt.customer_name
        if name:
            self._pair(_("Customer"), name)
        self._pair(_("For"), _("Order #%(number)s", number=receipt.order.number))

    def _lines(self) -> None:
        order = self._receipt.order
        if not order.lines and order.description:
            self._pair(order.description, money(order.total_cents))
        for line in order.lines:
            several = f"{line.quantity} × " if line.quantity != 1 else ""
            self._pair(f"{several}{line.name}", money(line.total_cents))
        self._pair(_("Total"), money(order.total_cents), bold=True)

    def _sums(self) -> None:
        receipt = self._receipt
        self._rule()
        self._pair(_("Paid"), money(receipt.paid_cents, decimals=True), bold=True)
        if receipt.returned_cents:
            self._pair(_("Sent back"), money(receipt.returned_cents, decimals=True))
            self._pair(_("Paid in the end"), money(receipt.net_cents, decimals=True), bold=True)
        if receipt.due_cents:
            self._pair(_("Still to pay"), money(receipt.due_cents, decimals=True))

    def _money_out(self, returned: Returned) -> None:
        self._rule()
        amount = money(returned.amount_cents, decimals=True)
        self._pair(_("Refund of %(amount)s", amount=amount), in_readers_language(returned.words))
        self._pair(_("Date"), moment(returned.at))
        if returned.code:
            self._pair(_("M-Pesa code"), returned.code, bold=True)

    def _code_of(self, link: str) -> None:
        picture = io.BytesIO()
        segno.make_qr(link, error="m").save(picture, kind="png", scale=4, border=2)
        if self.will_page_break(_QR + _LINE + 2 * _GAP):
            self.add_page()
        else:
            self._rule()
        self.image(picture, x=Align.C, w=_QR, alt_text=_("QR code of this receipt on the web"))
        self._centred(_("Scan to see this receipt on the web"), 8, soft=True)

    # Pieces.

    def _centred(self, words: str, size: int, *, bold: bool = False, soft: bool = False) -> None:
        self._pen(size, bold=bold, soft=soft)
        height = _LINE * max(1.0, size / 10)
        self.multi_cell(
            0, height, self._printable(words), align=Align.C, new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )

    def _pair(self, name: str, value: str, *, bold: bool = False) -> None:
        """Write a name at the left and its value at the right; long ones take more lines."""
        self._pen(9, bold=bold)
        sides = ((self._printable(name), 0.58, Align.L), (self._printable(value), 0.42, Align.R))
        height = max(self._height(words, share) for words, share, _align in sides)
        if self.will_page_break(height):
            self.add_page()
        top = self.get_y()
        for words, share, align in sides:
            self._pen(9, bold=bold, soft=align is Align.L and not bold)
            width = share * self.epw
            self.multi_cell(width, _LINE, words, align=align, new_x=XPos.RIGHT, new_y=YPos.TOP)
        self.set_xy(self.l_margin, top + height)

    def _height(self, words: str, share: float) -> float:
        asked = MethodReturnValue.HEIGHT
        told = self.multi_cell(share * self.epw, _LINE, words, dry_run=True, output=asked)
        return cast("float", told)

    def _rule(self) -> None:
        self.ln(_GAP)
        self.set_draw_color(*_RULE)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(_GAP)

    def _pen(self, size: int, *, bold: bool = False, soft: bool = False) -> None:
        self.set_font(_FAMILY, "B" if bold else "", size)
        self.set_text_color(*(_SOFT if soft else _INK))

    def _printable(self, words: str) -> str:
        """Put a mark in place of what our letters cannot say, such as a picture of a face."""
        return "".join(sign if ord(sign) in self._letters else _REPLACEMENT for sign in words)
