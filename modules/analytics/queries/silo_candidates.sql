-- Which tenants of the pool should have an AWS account of their own, and what that would cost a month.
--
-- A tenant is named where a calendar month of the period cost more than spend_usd, or where its file
-- has a compliance flag, such as HIPAA. Costs are those of the ledger, of its dearest month. In an
-- account of its own that month would have cost the same less a negotiated discount, and the fixed
-- cost of the account beside it; difference is what the move adds, below zero where it saves.
-- parameters:
--   spend_usd decimal = 5000: a month's cost above which an account of its own pays
--   silo_usd decimal = 73: what such an account costs a month before its first call
--   discount_percent decimal = 0: what AWS takes off the prices there
WITH months AS (
    SELECT
        tenant_id,
        substr(CAST(dt AS varchar), 1, 7) AS month,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0)) AS cost
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND settled_at < ${settled_before}
    GROUP BY tenant_id, substr(CAST(dt AS varchar), 1, 7)
),
ranked AS (
    SELECT
        tenant_id,
        month,
        cost,
        row_number() OVER (PARTITION BY tenant_id ORDER BY cost DESC, month) AS place
    FROM months
),
candidates AS (
    SELECT
        tenants.tenant_id,
        tenants.name,
        tenants.tier,
        coalesce(array_join(tenants.compliance, ', '), '') AS compliance,
        ranked.month,
        coalesce(ranked.cost, 0) AS cost,
        coalesce(ranked.cost, 0)
            > CAST(CAST(${spend_usd} AS decimal(26, 12)) * 1000000000000 AS decimal(26, 0)) AS is_dear,
        CAST(
            coalesce(ranked.cost, 0) * CAST(${discount_percent} AS decimal(5, 2)) * CAST('0.01' AS decimal(2, 2))
            AS decimal(26, 0)
        ) AS discount,
        CAST(CAST(${silo_usd} AS decimal(26, 12)) * 1000000000000 AS decimal(26, 0)) AS silo
    FROM tenants
    LEFT JOIN ranked ON ranked.tenant_id = tenants.tenant_id AND ranked.place = 1
    WHERE tenants.isolation <> 'silo' AND tenants.status <> 'offboarded'
)
SELECT
    tenant_id,
    name,
    tier,
    CASE
        WHEN compliance = '' THEN 'spend'
        WHEN is_dear THEN 'spend and compliance'
        ELSE 'compliance'
    END AS reason,
    compliance,
    month,
    CAST(cost AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS pool_cost,
    discount * CAST('0.000000000001' AS decimal(12, 12)) AS discount,
    CAST(cost - discount + silo AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS silo_cost,
    CAST(silo - discount AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS difference
FROM candidates
WHERE is_dear OR compliance <> ''
ORDER BY pool_cost DESC, tenant_id
