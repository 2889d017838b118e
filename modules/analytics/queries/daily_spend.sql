-- What each day cost, by one dimension after the other: unit, tenant, app, model, region and more.
--
-- A row is a day and a value of one dimension, whose name is in `dimension`; each dimension adds up to
-- the whole. An app is named tenant/app. belongs_to is what a value lies within: the business unit of
-- a tenant, unit/tenant of an app. What has no business unit, cost centre or account is '(none)'.
-- parameters:
--   tenant tenant = '': whose usage; all unless given
WITH calls AS (
    SELECT
        dt,
        coalesce(business_unit, '(none)') AS business_unit,
        tenant_id,
        app_id,
        model_id,
        region,
        coalesce(account_id, '(none)') AS account_id,
        coalesce(cost_center, '(none)') AS cost_center,
        CAST(total_cost AS decimal(26, 0)) AS total_cost
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND settled_at < ${settled_before}
        AND (${tenant} = '' OR tenant_id = ${tenant})
        AND total_cost <> 0
),
-- What a row is not grouped by is null in it, and nothing else is.
sums AS (
    SELECT
        dt,
        CASE
            WHEN app_id IS NOT NULL THEN 'app_id'
            WHEN tenant_id IS NOT NULL THEN 'tenant_id'
            WHEN business_unit IS NOT NULL THEN 'business_unit'
            WHEN model_id IS NOT NULL THEN 'model_id'
            WHEN region IS NOT NULL THEN 'region'
            WHEN account_id IS NOT NULL THEN 'account_id'
            ELSE 'cost_center'
        END AS dimension,
        tenant_id || '/' || app_id AS app,
        business_unit,
        tenant_id,
        coalesce(model_id, region, account_id, cost_center) AS other,
        CAST(sum(total_cost) AS decimal(26, 0)) AS picodollars
    FROM calls
    GROUP BY GROUPING SETS (
        (dt, business_unit),
        (dt, business_unit, tenant_id),
        (dt, business_unit, tenant_id, app_id),
        (dt, model_id),
        (dt, region),
        (dt, account_id),
        (dt, cost_center)
    )
)
SELECT
    dt,
    dimension,
    CASE dimension
        WHEN 'app_id' THEN app
        WHEN 'tenant_id' THEN tenant_id
        WHEN 'business_unit' THEN business_unit
        ELSE other
    END AS name,
    CASE dimension
        WHEN 'app_id' THEN business_unit || '/' || tenant_id
        WHEN 'tenant_id' THEN business_unit
        ELSE ''
    END AS belongs_to,
    picodollars * CAST('0.000000000001' AS decimal(12, 12)) AS cost
FROM sums
ORDER BY dimension, name, belongs_to, dt
