"""How a staging table of payments becomes a whole shop: one INSERT … SELECT for each table.

The same words on both databases; ``MOMENT`` and ``UUID_`` stand for types. Of a table that grows
more slowly than payments do, only each so many-th payment makes a row.
"""

from __future__ import annotations

MADE = """
CREATE TABLE made (n BIGINT, id BIGINT, person BIGINT, status TEXT, order_status TEXT, reason TEXT,
 code TEXT, at MOMENT, later MOMENT, until MOMENT, order_uuid UUID_, payment_uuid UUID_, name TEXT,
 digits TEXT, token TEXT, phone TEXT)
"""
#: Which payments come with money out, with a failed one, and with an entry of the audit trail: a
#: share of all, and enough of the newest to fill a page at any size. A page half empty is quicker.
_OUT = "(n % 50 = 0 OR (n % 10 = 0 AND n > :count - 800))"
_FAILED = "(n % 1000 = 450 OR (n % 20 = 10 AND n > :count - 800))"
_AUDITED = "(n % 20 = 0 OR n > :count - 200)"
_ADMIN = "(SELECT id FROM people WHERE email = :admin)"
_PRODUCT = "(SELECT min(id) FROM products WHERE kind = 'goods')"

_SHOP = (
    """
INSERT INTO people (id, uuid, email, name, phone, password_hash, role, created_at)
 SELECT 999 + n, order_uuid, 'shopper' || digits || '@example.com', 'Shopper ' || digits,
  '2547' || substr(digits, 2), 'x', 'shopper', at FROM made WHERE n BETWEEN 2 AND :people
""",
    """
INSERT INTO orders (id, uuid, reference, person_id, status, total_cents, currency, created_at,
  held_until, paid_at)
 SELECT id, order_uuid, 'B' || name, person, order_status, :cents, 'KES', at, until,
  CASE WHEN order_status = 'paid' THEN later END FROM made
""",
    f"""
INSERT INTO order_lines (order_id, product_id, name, kind, unit_price_cents, quantity, held)
 SELECT id, {_PRODUCT}, 'Kiondo', 'goods', :cents, 1, order_status = 'paid' FROM made
""",  # noqa: S608
    """
INSERT INTO order_timeline (order_id, at, event, from_status, to_status, actor, why)
 SELECT id, later, 'paid_in_full', 'pending', order_status, 'seed', 'seeded' FROM made
  WHERE order_status <> 'pending'
""",
    """
INSERT INTO payments (id, uuid, public_ref, order_id, person_id, phone, amount_cents, currency,
  status, callback_token, merchant_request_id, checkout_request_id, mpesa_receipt, result_code,
  reason, review_reason, evidence, created_at, prompt_expires_at, completed_at, next_check_at,
  checks, may_ask_again)
 SELECT id, payment_uuid, 'TXNBENCH000' || digits, id, person, phone, :cents, 'KES', status, token,
  'bench-' || digits, 'ws_CO_BENCH' || digits,
  CASE WHEN status = 'completed' THEN 'SB0' || name END, code, reason,
  CASE WHEN n > :count - 200 AND reason = 'timeout' THEN 'amount_differs' END,
  CASE WHEN status = 'completed' THEN 'proven_callback' END, at,
  CASE WHEN status = 'pending' THEN until ELSE later END,
  CASE WHEN status = 'completed' THEN later END, CASE WHEN status = 'pending' THEN until END,
  0, false FROM made
""",
    """
INSERT INTO payment_timeline (payment_id, at, event, from_status, to_status, actor, why)
 SELECT id, at, 'created', '', 'created', 'seed', 'seeded' FROM made
""",
    """
INSERT INTO payment_timeline (payment_id, at, event, from_status, to_status, actor, why)
 SELECT id, at, 'push_accepted', 'created', 'pending', 'seed', 'seeded' FROM made
""",
    """
INSERT INTO payment_timeline (payment_id, at, event, from_status, to_status, actor, why)
 SELECT id, later, 'payment_confirmed', 'pending', status, 'seed', 'seeded' FROM made
  WHERE status <> 'pending'
""",
    """
INSERT INTO callback_inbox (natural_key, path, peer, headers, raw, origin_proven, token_payment_id,
  payment_id, checkout_request_id, verdict, received_at, handled_at)
 SELECT token, '/api/payments/mpesa/callback', '196.201.214.200', '{}', :body, true, id, id,
  'ws_CO_BENCH' || digits, 'seeded', later, later FROM made WHERE status <> 'pending'
""",
    """
INSERT INTO credits (id, order_id, payment_id, amount_cents, receipt, phone, returned_cents,
  standing, evidence, created_at)
 SELECT id, id, CASE WHEN n % 50 <> 5 THEN id END, :cents, 'SB0' || name, phone,
  CASE WHEN n % 100 = 0 THEN :cents ELSE 0 END,
  CASE WHEN n > :count - 100 AND n % 25 = 0 THEN 'late' ELSE 'exact' END, 'proven_callback', later
  FROM made WHERE status = 'completed'
""",
    """
INSERT INTO ledger_transfers (key, at, debit, credit, amount_cents, subject, what)
 SELECT 'bench:' || digits, later, 'mpesa', 'sales', :cents, 'TXNBENCH000' || digits, 'seeded'
  FROM made WHERE status = 'completed'
""",
)

_ABOUT_ORDERS = (
    f"""
INSERT INTO order_notes (order_id, at, person_id, text, form_key)
 SELECT id, later, {_ADMIN}, 'Rang about the delivery.', token FROM made WHERE n % 50 = 0
""",  # noqa: S608
    """
INSERT INTO shared_links (order_id, opens, seed, digest, made_by, made_at, ended_at)
 SELECT id, CASE WHEN n % 20 = 0 THEN 'pay' ELSE 'receipt' END, token, 'd' || token, person, at,
  CASE WHEN n % 30 = 0 THEN later END FROM made WHERE n % 10 = 0
""",
    """
INSERT INTO claims (order_id, person_id, door, code, amount_cents, text, state, reason, created_at,
  tries, decided_at)
 SELECT id, person, 'page', 'SB0' || name, :cents, 'seeded', 'refused', 'not_found', at, 1, later
  FROM made WHERE n % 200 = 4 OR n BETWEEN :count - 90 AND :count - 20
""",
    """
INSERT INTO c2b_notices (natural_key, kind, peer, headers, raw, origin_proven, received_at, state,
  verdict, receipt, amount_cents, account, order_id, credit_id, tries)
 SELECT token, 'confirmation', '196.201.214.200', '{}', :body, true, later, 'done', 'seeded',
  'SB0' || name, :cents, 'B' || name, id, id, 0 FROM made
  WHERE (n % 50 = 5 OR n > :count - 80) AND status = 'completed'
""",
    """
INSERT INTO payment_methods (person_id, type, phone, is_default, created_at)
 SELECT 999 + n, 'mpesa', '2547' || substr(digits, 2), true, at FROM made
  WHERE n BETWEEN 2 AND :people
""",
    """
INSERT INTO sign_ins (uuid, person_id, created_at, expires_at, ended_at, second_factor)
 SELECT payment_uuid, person, at, until, until, false FROM made WHERE n % 5 = 0
""",
    """
INSERT INTO idempotency_keys (caller, key, fingerprint, state, status, headers, body, created_at,
  started_at, finished_at)
 SELECT 'person:' || CAST(person AS TEXT), token, token, 'done', 200, '{}', :body, at, at, later
  FROM made WHERE n > :count - 2700
""",
    """
INSERT INTO enrolments (person_id, product_id, order_id, created_at)
 SELECT 999 + n, (SELECT min(id) FROM products WHERE kind = 'course'), id, at FROM made
  WHERE n BETWEEN 2 AND :people AND n % 5 = 0
  AND EXISTS (SELECT 1 FROM products WHERE kind = 'course')
""",
)

_MONEY_OUT = (
    f"""
INSERT INTO suppliers (id, uuid, name, mpesa_number, notes, is_active, created_at, created_by)
 SELECT id, order_uuid, 'Supplier ' || digits, phone, '', true, at, {_ADMIN} FROM made
  WHERE n <= 20
""",  # noqa: S608
    f"""
INSERT INTO supplier_number_changes (supplier_id, number, reason, changed_by, changed_at)
 SELECT id, phone, 'New', {_ADMIN}, at FROM made WHERE n <= 20
""",  # noqa: S608
    f"""
INSERT INTO payout_runs (id, uuid, name, digest, total_cents, rows, sheet, made_by, created_at,
  asked_at, written_at)
 SELECT id, order_uuid, 'wages.csv', token, :cents * 10, 10, '[]', {_ADMIN}, at, at, at FROM made
  WHERE n % 500 = 0 OR n > :count - 60
""",  # noqa: S608
    f"""
INSERT INTO disbursements (id, uuid, public_ref, kind, payment_id, supplier_id, run_id,
  amount_cents, charge_cents, msisdn, channel, channel_why, reason, status, asked_by, token,
  originator_id, conversation_id, receipt, created_at, sends, sent_at, completed_at, checks)
 SELECT id, order_uuid, 'OUTBENCH000' || digits,
  CASE WHEN n % 100 = 0 THEN 'refund' ELSE 'payout' END, CASE WHEN n % 100 = 0 THEN id END,
  CASE WHEN n % 100 <> 0 THEN 1001 + (n / 100) % 20 END,
  CASE WHEN n % 100 = 50 AND n > 500 THEN 1000 + (n / 500) * 500 END,
  :cents, 0, phone, 'b2c', 'seeded', 'seeded',
  CASE WHEN {_FAILED} THEN 'failed' ELSE 'completed' END, {_ADMIN}, token, 'O' || token,
  'AG_' || digits, 'SO0' || name, at, 1, at, later, 0 FROM made WHERE {_OUT}
""",  # noqa: S608
    f"""
INSERT INTO disbursement_timeline (disbursement_id, at, event, from_status, to_status, actor, why)
 SELECT id, later, 'confirmed', 'processing', status, 'machine', 'seeded' FROM made
  WHERE {_OUT}
""",  # noqa: S608
    f"""
INSERT INTO result_inbox (natural_key, path, peer, headers, raw, origin_proven, about, token_id,
  disbursement_id, verdict, received_at, handled_at, tries)
 SELECT token, '/pay/results', '196.201.214.200', '{{}}', :body, true, 'result', id, id, 'seeded',
  later, later, 0 FROM made WHERE {_OUT}
""",  # noqa: S608
    f"""
INSERT INTO ledger_transfers (key, at, debit, credit, amount_cents, subject, what)
 SELECT 'benchout:' || digits, later, 'in_transit', 'mpesa', :cents, 'OUTBENCH000' || digits,
  'seeded' FROM made WHERE {_OUT}
""",  # noqa: S608
    f"""
INSERT INTO ledger_transfers (key, at, debit, credit, amount_cents, subject, what)
 SELECT 'benchgone:' || digits, later, CASE WHEN n % 100 = 0 THEN 'refunds' ELSE 'suppliers' END,
  'in_transit', :cents, 'OUTBENCH000' || digits, 'seeded' FROM made WHERE {_OUT}
""",  # noqa: S608
    f"""
INSERT INTO ledger_transfers (key, at, debit, credit, amount_cents, subject, what)
 SELECT 'benchfee:' || digits, later, 'fees', 'mpesa', 1300, 'OUTBENCH000' || digits, 'seeded'
  FROM made WHERE {_OUT}
""",  # noqa: S608
    f"""
INSERT INTO float_readings (shortcode, token, asked_at, answered_at, utility_cents, source)
 SELECT '600000', token, at, later, 500000000, 'result of OUTBENCH000' || digits FROM made
  WHERE {_OUT}
""",  # noqa: S608
)

_BACK_OFFICE = (
    f"""
INSERT INTO statements (id, uuid, source, name, digest, shortcode, uploaded_by, created_at, phase,
  claims, tries, bytes_total, bytes_done, rows_read, doubts, period_from, period_to, in_count,
  in_cents, out_count, out_cents, charges_cents, our_in_count, our_in_cents, our_out_count,
  our_out_cents, cut_short, finished_at)
 SELECT id, order_uuid, 'file', 'statement.csv', token, '174379', {_ADMIN}, at, 'done', 1, 0, 1, 1,
  500, '[]', at, until, 500, 0, 0, 0, 0, 500, 0, 0, 0, false, later FROM made
  WHERE n % 500 = 0 OR n > :count - 60
""",  # noqa: S608
    """
INSERT INTO statement_rows (statement_id, line, receipt, at, kind, cents, completed, details, party,
  account_ref, linked)
 SELECT 1000 + ((n + 499) / 500) * 500, n % 500, 'SB0' || name, later, 'in', :cents, true,
  'Pay Bill', '2547****123', 'B' || name, '' FROM made
  WHERE status = 'completed' AND ((n + 499) / 500) * 500 <= :count
""",
    f"""
INSERT INTO statement_differences (statement_id, kind, receipt, at, theirs_cents, ours_cents, what,
  resolution, resolved_by, resolved_at, why)
 SELECT 1000 + ((n + 499) / 500) * 500, 'in_not_ours', 'SB0' || name, later, :cents, 0, 'seeded',
  CASE WHEN n < :count - 400 THEN 'explained' END, {_ADMIN},
  CASE WHEN n < :count - 400 THEN later END, 'seeded' FROM made
  WHERE n % 100 = 30 AND ((n + 499) / 500) * 500 <= :count
""",  # noqa: S608
    f"""
INSERT INTO audit_entries (id, at, actor_id, actor, action, subject, detail, previous_hash, hash)
 SELECT (SELECT COALESCE(max(last_id), 0) FROM audit_head) + ROW_NUMBER() OVER (ORDER BY n), later,
  NULL, :admin, CASE WHEN n % 2 = 0 THEN 'refund.asked' ELSE 'payment.settled' END,
  'payment TXNBENCH000' || digits, '{{}}', token, token FROM made WHERE {_AUDITED}
""",  # noqa: S608
    """
DELETE FROM audit_head
""",
    """
INSERT INTO audit_head (id, last_id, last_hash)
 SELECT 1, id, hash FROM audit_entries ORDER BY audit_entries.id DESC LIMIT 1
""",
    """
INSERT INTO webhook_endpoints (id, address, events, secret, created_at)
 SELECT id, 'https://example.com/news', '[]', :body, at FROM made WHERE n = 1
""",
    """
INSERT INTO webhook_deliveries (event_id, endpoint_id, type, body, state, created_at, tries,
  next_try_at, tried_at, answer_status)
 SELECT payment_uuid, 1001, 'payment.completed', '{}', 'delivered', at, 1, at, later, 200 FROM made
  WHERE status = 'completed' AND n > :count - 40000
""",
    """
INSERT INTO alerts (kind, subject, detail, opened_at, closed_at)
 SELECT 'breaker_open', 'stk', 'seeded', at, later FROM made WHERE n % 2000 = 500
""",
)
#: One day that somebody has closed.
CLOSE = f"""
INSERT INTO daily_closes (day, collected_count, collected_cents, refunded_cents, paid_out_cents,
  fees_cents, open_questions, note, closed_by, closed_at)
 SELECT :day, 1370, 205500000, 0, 0, 0, 0, '', {_ADMIN}, max(later) FROM made
"""  # noqa: S608

#: As the sweep leaves them: the newest thousand transfers are not summed up yet.
_SIDES = """(SELECT id, debit AS account, amount_cents AS cents FROM ledger_transfers
 UNION ALL SELECT id, credit, -amount_cents FROM ledger_transfers) AS sides"""
_BALANCES = (
    f"""
INSERT INTO ledger_balances (account, through_id, cents)
 SELECT account, (SELECT max(id) - 1000 FROM ledger_transfers), sum(cents) FROM {_SIDES}
  WHERE id <= (SELECT max(id) - 1000 FROM ledger_transfers) GROUP BY account
""",  # noqa: S608
)

FILL = (*_SHOP, *_ABOUT_ORDERS, *_MONEY_OUT, *_BACK_OFFICE, *_BALANCES)
