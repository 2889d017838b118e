-- What tenants bring in and what they cost: revenue, infrastructure, margin and lifetime value.
--
-- Revenue is the subscription of the tenant's file or tier, for each calendar month that the period
-- touches, and the cost of its calls times its markup, which is 0 where the subscription covers usage.
-- Costs are the ledger's and the tenant's share of infrastructure_usd, by its part of all calls (alike
-- for all where nobody called), in whole millionths of a dollar that add up. Tenants without calls
-- count, offboarded ones only with calls; one that is not in the list of tenants any more pays
-- default_markup and no subscription.
--
-- ltv is a customer's margin of a month over the part of customers that leave each month, to the cent;
-- ltv_per_cac says how often it earns back what winning a customer cost. Both are empty until those
-- are given.
-- totals: customers, calls, model_cost, infrastructure_cost, cost, usage_charge, subscription, revenue, margin
-- parameters:
--   by text of tenant|all = 'tenant': a line for each tenant, or one for all
--   infrastructure_usd decimal = 0: what everything but models cost in the period
--   churn_percent decimal = 0: how many of a hundred customers leave in a month
--   cac_usd decimal = 0: what it cost to win a customer
--   default_markup decimal = 4: the markup of a tenant that is not in the list of tenants any more
WITH costs AS (
    SELECT
        tenant_id,
        count_if(operation <> 'reprice') AS calls,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0)) AS cost
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND settled_at < ${settled_before}
    GROUP BY tenant_id
),
days AS (
    SELECT
        CAST(${from} AS varchar) AS first_day,
        CAST(CAST(${to} - INTERVAL '1' DAY AS date) AS varchar) AS last_day
),
period AS (
    SELECT
        12 * (CAST(substr(last_day, 1, 4) AS integer) - CAST(substr(first_day, 1, 4) AS integer))
        + CAST(substr(last_day, 6, 2) AS integer) - CAST(substr(first_day, 6, 2) AS integer) + 1 AS months
    FROM days
),
customers AS (
    SELECT tenant_id
    FROM tenants
    WHERE status <> 'offboarded'
    UNION
    SELECT tenant_id
    FROM costs
),
weighed AS (
    SELECT
        customers.tenant_id,
        period.months,
        coalesce(costs.calls, 0) AS calls,
        CAST(coalesce(costs.cost, 0) AS decimal(26, 0)) AS cost,
        CASE WHEN sum(coalesce(costs.calls, 0)) OVER () = 0 THEN 1 ELSE coalesce(costs.calls, 0) END AS weight,
        CAST(coalesce(tenants.markup, '${default_markup}') AS decimal(10, 6)) AS markup,
        CAST(coalesce(tenants.subscription_usd, '0') AS decimal(24, 12)) AS fee
    FROM customers
    CROSS JOIN period
    LEFT JOIN costs ON costs.tenant_id = customers.tenant_id
    LEFT JOIN tenants ON tenants.tenant_id = customers.tenant_id
),
-- What all up to and with a tenant bear, rounded down; its share is what it adds.
borne AS (
    SELECT
        tenant_id,
        months,
        calls,
        cost,
        markup,
        fee,
        CAST(CAST(${infrastructure_usd} AS decimal(26, 12)) * 1000000 AS decimal(14, 0))
            * CAST(sum(weight) OVER (ORDER BY tenant_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS decimal(18, 0))
            AS reached,
        CAST(CAST(${infrastructure_usd} AS decimal(26, 12)) * 1000000 AS decimal(14, 0))
            * CAST(
                sum(weight) OVER (ORDER BY tenant_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - weight
                AS decimal(18, 0)
            ) AS before,
        CAST(sum(weight) OVER () AS decimal(18, 0)) AS weights
    FROM weighed
),
lines AS (
    SELECT
        CASE ${by} WHEN 'all' THEN 'all' ELSE tenant_id END AS tenant_id,
        months,
        calls,
        cost,
        1000000 * (
            CAST(CAST(reached - reached % weights AS double) / nullif(CAST(weights AS double), 0) AS decimal(18, 0))
            - CAST(CAST(before - before % weights AS double) / nullif(CAST(weights AS double), 0) AS decimal(18, 0))
        ) AS infrastructure,
        CAST(cost * markup AS decimal(26, 0)) AS charge,
        CAST(fee * months * 1000000000000 AS decimal(26, 0)) AS subscription
    FROM borne
),
sums AS (
    SELECT
        tenant_id,
        max(months) AS months,
        count(*) AS customers,
        sum(calls) AS calls,
        CAST(sum(cost) AS decimal(26, 0)) AS model_cost,
        CAST(sum(infrastructure) AS decimal(26, 0)) AS infrastructure,
        CAST(sum(charge) AS decimal(26, 0)) AS charge,
        CAST(sum(subscription) AS decimal(26, 0)) AS subscription,
        CAST(sum(CAST(charge + subscription AS decimal(26, 0))) AS decimal(26, 0)) AS revenue,
        CAST(sum(CAST(charge + subscription - cost - infrastructure AS decimal(26, 0))) AS decimal(26, 0)) AS margin
    FROM lines
    GROUP BY tenant_id
),
valued AS (
    SELECT
        tenant_id,
        customers,
        calls,
        model_cost,
        infrastructure,
        charge,
        subscription,
        revenue,
        margin,
        CAST(
            CAST(margin AS double) / nullif(1e10 * months * customers * CAST(${churn_percent} AS double), 0)
            AS decimal(38, 2)
        ) AS ltv
    FROM sums
)
SELECT
    tenant_id,
    customers,
    calls,
    model_cost * CAST('0.000000000001' AS decimal(12, 12)) AS model_cost,
    infrastructure * CAST('0.000000000001' AS decimal(12, 12)) AS infrastructure_cost,
    CAST(model_cost + infrastructure AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS cost,
    charge * CAST('0.000000000001' AS decimal(12, 12)) AS usage_charge,
    subscription * CAST('0.000000000001' AS decimal(12, 12)) AS subscription,
    revenue * CAST('0.000000000001' AS decimal(12, 12)) AS revenue,
    margin * CAST('0.000000000001' AS decimal(12, 12)) AS margin,
    CAST(100 * CAST(margin AS double) / nullif(CAST(revenue AS double), 0) AS decimal(38, 2)) AS margin_percent,
    ltv,
    CAST(CAST(ltv AS double) / nullif(CAST(${cac_usd} AS double), 0) AS decimal(38, 2)) AS ltv_per_cac
FROM valued
ORDER BY tenant_id
