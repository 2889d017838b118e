-- What each day cost, by tenant, cost centre and business unit, in exact US dollars.
--
-- The bars on a statement's page. Nothing is left out, and business_unit is empty where the row names
-- none, as in statement_usage.
--
-- period: over
-- totals: cost
SELECT
    dt,
    tenant_id,
    cost_center,
    coalesce(business_unit, '') AS business_unit,
    CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS cost
FROM usage
WHERE dt >= ${from} AND dt < ${to}
GROUP BY dt, tenant_id, cost_center, coalesce(business_unit, '')
ORDER BY dt, tenant_id, cost_center, business_unit
