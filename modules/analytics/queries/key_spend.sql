-- What each key spent on each model, with the business unit, tenant and app that it belongs to.
--
-- No call is left out, and those that failed are counted as errors too; corrections of prices are no
-- calls. What has no business unit is in '(none)'.
-- totals: calls, errors, input_tokens, output_tokens, cost
-- parameters:
--   tenant tenant = '': whose usage; all unless given
SELECT
    coalesce(business_unit, '(none)') AS business_unit,
    tenant_id,
    app_id,
    key_id,
    model_id,
    count_if(operation <> 'reprice') AS calls,
    count_if(status = 'error') AS errors,
    sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS cost
FROM usage
WHERE dt >= ${from} AND dt < ${to}
    AND settled_at < ${settled_before}
    AND (${tenant} = '' OR tenant_id = ${tenant})
GROUP BY coalesce(business_unit, '(none)'), tenant_id, app_id, key_id, model_id
ORDER BY business_unit, tenant_id, app_id, key_id, model_id
