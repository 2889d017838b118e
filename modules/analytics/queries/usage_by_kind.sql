-- What each kind of tenant (user, project, team, department, customer) used in the current month
-- (UTC), in exact US dollars.
--
-- The table `tenants` has one row per tenant of today, as its file says. To group by another fact
-- about tenants, put it in place of tenants.kind, twice: tenants.cost_center, tenants.isolation,
-- tenants.account_id, or a tag, as in element_at(tenants.tags, 'Division'). Usage of a tenant whose
-- file is gone counts as 'unknown'. Another month: put DATE '2026-10-01' (any day of it) in place of
-- both current_date.
SELECT
    coalesce(tenants.kind, 'unknown') AS kind,
    count(DISTINCT usage.tenant_id) AS tenant_count,
    sum(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens,
    count_if(usage.status <> 'error' AND operation <> 'reprice') AS invocations,
    CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS total
FROM usage
LEFT JOIN tenants ON tenants.tenant_id = usage.tenant_id
WHERE dt >= date_trunc('month', current_date)
    AND dt < date_trunc('month', current_date) + INTERVAL '1' MONTH
    AND (usage.status <> 'error' OR total_cost <> 0 OR NOT priced)
GROUP BY coalesce(tenants.kind, 'unknown')
ORDER BY kind
