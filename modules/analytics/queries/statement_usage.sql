-- What each app used of each model, by tenant, cost centre and business unit, in exact US dollars.
--
-- It is what statements are made of, so it leaves nothing out: ledger_rows counts calls that failed and
-- corrections of prices too, and its costs add up to those of all rows. calls counts what was answered.
-- Cost centre and business unit are those of the moment of the call; business_unit is empty where the
-- row names none. Cache tokens count as input. `make close` makes the statements of a month.
--
-- period: over
-- totals: ledger_rows, calls, cost
SELECT
    tenant_id,
    cost_center,
    coalesce(business_unit, '') AS business_unit,
    app_id,
    model_id,
    count(*) AS ledger_rows,
    count_if(status <> 'error' AND operation <> 'reprice') AS calls,
    sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS cost
FROM usage
WHERE dt >= ${from} AND dt < ${to}
GROUP BY tenant_id, cost_center, coalesce(business_unit, ''), app_id, model_id
ORDER BY tenant_id, cost_center, business_unit, app_id, model_id
