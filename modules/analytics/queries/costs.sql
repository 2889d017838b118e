-- What each day, tenant, app, key, model, region, AWS account, cost centre, business unit, tag or end user cost, in exact US dollars.
--
-- by says which of them. Usage that names none counts as '(none)'. Apps and keys are told with their
-- tenant. Failed calls that cost nothing are counted as errors, and no call is left out; corrections
-- of prices are no calls. percent is the part of all that is shown.
--
-- totals: calls, errors, input_tokens, output_tokens, cost
-- parameters:
--   by text of day|month|tenant|app|key|model|region|account|cost_center|business_unit|tag|end_user|tier|service_tier|operation = 'tenant': what costs are grouped by
--   tag text = 'team': the tag that `by tag` means
--   tenant tenant = '': whose usage; all tenants' unless given
WITH calls AS (
    SELECT
        coalesce(
            CASE ${by}
                WHEN 'day' THEN CAST(dt AS varchar)
                WHEN 'month' THEN substr(CAST(dt AS varchar), 1, 7)
                WHEN 'tenant' THEN tenant_id
                WHEN 'app' THEN tenant_id || '/' || app_id
                WHEN 'key' THEN tenant_id || '/' || key_id
                WHEN 'model' THEN model_id
                WHEN 'region' THEN region
                WHEN 'account' THEN account_id
                WHEN 'cost_center' THEN cost_center
                WHEN 'business_unit' THEN business_unit
                WHEN 'tag' THEN element_at(tags, ${tag})
                WHEN 'end_user' THEN end_user
                WHEN 'tier' THEN tier
                WHEN 'service_tier' THEN service_tier
                WHEN 'operation' THEN operation
            END,
            '(none)'
        ) AS name,
        status,
        operation,
        input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens AS input_tokens,
        output_tokens,
        CAST(total_cost AS decimal(26, 0)) AS cost
    FROM usage
    WHERE dt >= ${from}
        AND dt < ${to}
        AND settled_at < ${settled_before}
        AND (${tenant} = '' OR tenant_id = ${tenant})
),
sums AS (
    SELECT
        name,
        count_if(operation <> 'reprice') AS calls,
        count_if(status = 'error') AS errors,
        CAST(sum(CAST(input_tokens AS decimal(26, 0))) AS decimal(26, 0)) AS input_tokens,
        CAST(sum(CAST(output_tokens AS decimal(26, 0))) AS decimal(26, 0)) AS output_tokens,
        CAST(sum(cost) AS decimal(26, 0)) AS cost
    FROM calls
    GROUP BY name
)
SELECT
    name,
    calls,
    errors,
    input_tokens,
    output_tokens,
    cost * CAST('0.000000000001' AS decimal(12, 12)) AS cost,
    CAST(
        100 * CAST(cost AS double) / nullif(CAST(sum(cost) OVER () AS double), 0) AS decimal(38, 2)
    ) AS percent
FROM sums
ORDER BY
    CASE WHEN ${by} IN ('day', 'month') THEN name ELSE '' END,
    sums.cost DESC,
    name
