-- What each kind of tenant (user, project, team, department, customer) used, in exact US dollars.
--
-- The table `tenants` has one row per tenant of today, as its file says. To group by another fact
-- about tenants, put it in place of tenants.kind, twice: tenants.cost_center, tenants.isolation,
-- tenants.account_id, or a tag, as in element_at(tenants.tags, 'Division'). Usage of a tenant whose
-- file is gone counts as 'unknown'.
--
-- totals: tenant_count, input_tokens, output_tokens, invocations, total
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
WHERE dt >= ${from}
    AND dt < ${to}
    AND settled_at < ${settled_before}
    AND (usage.status <> 'error' OR total_cost <> 0 OR NOT priced)
GROUP BY coalesce(tenants.kind, 'unknown')
ORDER BY kind
