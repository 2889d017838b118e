-- What the ledger booked, by what AWS's bill tells apart.
--
-- One side of the reconciliation (scripts/reconcile); bill_lines is the other. A bill knows an
-- in-region call from one through a geography's profile by its price at most, so that routing is
-- global or not. Calls of endpoints have no usage type of their own: an endpoint's hours stand on the
-- bill. late_* is the part of calls that began in the day's last hour, which AWS may count to the
-- next day; uncertain, unpriced and contract count the rows at a hold or an estimate, without a list
-- price, and at a tenant's own prices. Costs are exact US dollars; cache_cost is that of all kinds of
-- cache together, so that calls are apart by what a token of input cost them (input_price, in
-- picodollars): those of one price are in one proportion.
--
-- totals: calls, input_cost, output_cost, cache_cost, other_cost
SELECT
    dt,
    account_id,
    region,
    model_id,
    dialect LIKE '%.endpoint' AS is_endpoint,
    routing = 'global' AS is_global,
    service_tier,
    tenant_id,
    coalesce(inference_profile_arn LIKE '%:application-inference-profile/%', false) AS is_profiled,
    CAST(input_cost AS double) / nullif(CAST(input_tokens AS double), 0) AS input_price,
    count_if(operation <> 'reprice') AS calls,
    count_if(usage_source <> 'provider') AS uncertain,
    count_if(NOT priced) AS unpriced,
    count_if(price_version LIKE '%+%') AS contract,
    sum(input_tokens) AS input,
    sum(output_tokens) AS output,
    sum(cache_read_tokens) AS cache_read,
    sum(cache_write_5m_tokens) AS cache_write_5m,
    sum(cache_write_1h_tokens) AS cache_write_1h,
    sum(images) AS image,
    sum(CASE WHEN hour = 23 THEN input_tokens ELSE 0 END) AS late_input,
    sum(CASE WHEN hour = 23 THEN output_tokens ELSE 0 END) AS late_output,
    sum(CASE WHEN hour = 23 THEN cache_read_tokens ELSE 0 END) AS late_cache_read,
    sum(CASE WHEN hour = 23 THEN cache_write_5m_tokens ELSE 0 END) AS late_cache_write_5m,
    sum(CASE WHEN hour = 23 THEN cache_write_1h_tokens ELSE 0 END) AS late_cache_write_1h,
    sum(CASE WHEN hour = 23 THEN images ELSE 0 END) AS late_image,
    CAST(sum(CAST(input_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS input_cost,
    CAST(sum(CAST(output_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS output_cost,
    CAST(sum(CAST(cache_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS cache_cost,
    CAST(sum(CAST(other_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS other_cost
FROM usage
WHERE dt >= ${from}
    AND dt < ${to}
    AND settled_at < ${settled_before}
GROUP BY
    dt,
    account_id,
    region,
    model_id,
    dialect LIKE '%.endpoint',
    routing = 'global',
    service_tier,
    tenant_id,
    coalesce(inference_profile_arn LIKE '%:application-inference-profile/%', false),
    CAST(input_cost AS double) / nullif(CAST(input_tokens AS double), 0)
ORDER BY dt, account_id, region, model_id, tenant_id, input_price
