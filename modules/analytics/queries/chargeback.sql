-- What each tenant spent on each model, in exact US dollars.
--
-- Costs are whole picodollars. They are summed as decimal(26, 0), which holds 100 million million
-- dollars and, times a decimal(12, 12), fits the 38 digits a decimal has: nothing is rounded and
-- no bigint overflows. Cache tokens count as input and everything else that costs as output, so
-- input_cost + output_cost = total. Failed calls that cost nothing are no invocations, nor are
-- corrections of prices (operation 'reprice'), which only add a difference.
--
-- totals: input_tokens, output_tokens, invocations, input_cost, output_cost, total
SELECT
    tenant_id AS team_id,
    model_id,
    sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    count_if(status <> 'error' AND operation <> 'reprice') AS invocations,
    CAST(sum(CAST(input_cost AS decimal(26, 0)) + cache_cost) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS input_cost,
    CAST(sum(CAST(output_cost AS decimal(26, 0)) + other_cost) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS output_cost,
    CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS total
FROM usage
WHERE dt >= ${from}
    AND dt < ${to}
    AND settled_at < ${settled_before}
    AND (status <> 'error' OR total_cost <> 0 OR NOT priced)
GROUP BY tenant_id, model_id
ORDER BY team_id, model_id
