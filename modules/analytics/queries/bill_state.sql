-- How far AWS's bill has come: its lines and newest day by billing period, and columns without values.
--
-- Before anything is compared (scripts/reconcile): a column that the export has no more is null in
-- every line, and lines in another currency cannot be compared. The newest day is that of usage of any
-- service, which an account has every day.
--
-- totals: lines
-- parameters:
--   first_period text = '2026-01': the first billing period that is looked at, as YYYY-MM
--   last_period text = '9999-12': the last one
SELECT
    billing_period,
    count(*) AS lines,
    max(CASE WHEN line_item_line_item_type = 'Usage' THEN CAST(line_item_usage_start_date AS date) END) AS newest_day,
    count(line_item_currency_code) - count_if(line_item_currency_code = 'USD') AS not_usd,
    count(line_item_usage_start_date) AS line_item_usage_start_date,
    count(line_item_usage_account_id) AS line_item_usage_account_id,
    count(line_item_usage_type) AS line_item_usage_type,
    count(line_item_line_item_type) AS line_item_line_item_type,
    count(line_item_product_code) AS line_item_product_code,
    count(line_item_currency_code) AS line_item_currency_code,
    count(line_item_usage_amount) AS line_item_usage_amount,
    count(line_item_unblended_cost) AS line_item_unblended_cost,
    count(pricing_unit) AS pricing_unit,
    count(product) AS product
FROM bill
WHERE billing_period >= ${first_period}
    AND billing_period <= ${last_period}
GROUP BY billing_period
ORDER BY billing_period
