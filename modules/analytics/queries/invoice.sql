-- What each tenant is charged for each model, with its markup and the margin, in exact US dollars.
--
-- The charge is the cost times the tenant's markup, which its file or else its tier says; it is
-- rounded half up to a picodollar, once for each line. The margin is what is left of the charge, and
-- margin_percent its part of it. An invoice that was issued does not change: that is a statement,
-- which `make close` makes. This is the same sum, to look at, for any days that are over.
--
-- period: over
-- totals: invocations, cost, charge, margin
-- parameters:
--   tenant tenant = '': whose invoice; all tenants' unless given
--   default_markup decimal = 4: the markup of a tenant that is not in the list of tenants any more
WITH costs AS (
    SELECT
        tenant_id,
        model_id,
        count_if(status <> 'error' AND operation <> 'reprice') AS invocations,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0)) AS cost
    FROM usage
    WHERE dt >= ${from}
        AND dt < ${to}
        AND settled_at < ${settled_before}
        AND (${tenant} = '' OR tenant_id = ${tenant})
        AND (status <> 'error' OR total_cost <> 0 OR NOT priced)
    GROUP BY tenant_id, model_id
),
charges AS (
    SELECT
        costs.tenant_id,
        coalesce(tenants.cost_center, '(none)') AS cost_center,
        coalesce(tenants.tier, '(none)') AS tier,
        costs.model_id,
        costs.invocations,
        costs.cost,
        CAST(coalesce(tenants.markup, '${default_markup}') AS decimal(10, 6)) AS markup,
        CAST(
            costs.cost * CAST(coalesce(tenants.markup, '${default_markup}') AS decimal(10, 6))
            AS decimal(26, 0)
        ) AS charge
    FROM costs
    LEFT JOIN tenants ON tenants.tenant_id = costs.tenant_id
)
SELECT
    tenant_id,
    cost_center,
    tier,
    model_id,
    invocations,
    cost * CAST('0.000000000001' AS decimal(12, 12)) AS cost,
    markup,
    charge * CAST('0.000000000001' AS decimal(12, 12)) AS charge,
    CAST(charge - cost AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS margin,
    CAST(
        100 * CAST(charge - cost AS double) / nullif(CAST(charge AS double), 0) AS decimal(38, 2)
    ) AS margin_percent
FROM charges
ORDER BY tenant_id, model_id
