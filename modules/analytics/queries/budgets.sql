-- How much of its month's budget each tenant and business unit has spent, holds and has left, and who is over or will be, in US dollars.
--
-- The month is that of the period's first day. spent and held are what budgets are enforced by, as
-- the accounts were at the last run of aggregate; a month that is over has what its usage cost, and
-- holds nothing. remaining is the budget less both, and below 0 where a soft or observed budget is
-- exceeded. forecast is spent by the month's end, worked out as the query trend does.
--
-- state: over, with nothing left; near, where the forecast is over or 80 % is used; within; none,
-- without a budget. Whoever is over comes first.
--
-- parameters:
--   state text of all|over|near|within|none = 'all': which of them are shown
WITH days AS (
    SELECT
        -- Of the two sets that rows are grouped by, only one has a tenant.
        CASE WHEN tenant_id IS NULL THEN 'business_unit' ELSE 'tenant' END AS scope,
        coalesce(tenant_id, business_unit) AS id,
        dt,
        -- Yesterday, or the month's last day, is 0.
        date_diff('day', dt, least(date_trunc('month', ${from}) + INTERVAL '1' MONTH, ${today})) - 1 AS age,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0)) AS cost
    FROM usage
    WHERE dt >= date_trunc('month', ${from}) - INTERVAL '90' DAY
        AND dt < date_trunc('month', ${from}) + INTERVAL '1' MONTH
        AND settled_at < ${settled_before}
    GROUP BY GROUPING SETS ((tenant_id, dt), (business_unit, dt))
),
sums AS (
    SELECT
        scope,
        id,
        CAST(sum(CASE WHEN dt >= date_trunc('month', ${from}) THEN cost ELSE 0 END) AS decimal(26, 0)) AS used,
        -- Up to yesterday, as forecasts are.
        CAST(
            sum(CASE WHEN dt >= date_trunc('month', ${from}) AND age >= 0 THEN cost ELSE 0 END) AS double
        ) AS until,
        CAST(sum(CASE WHEN age BETWEEN 0 AND 29 THEN cost ELSE 0 END) AS double) AS last_30,
        CAST(sum(CASE WHEN age BETWEEN 0 AND 29 THEN cost * age ELSE 0 END) AS double) AS aged_30,
        least(
            30e0, CAST(coalesce(max(CASE WHEN age BETWEEN 0 AND 89 THEN age END) + 1, 0) AS double)
        ) AS n30,
        CAST(
            greatest(
                0, date_diff('day', ${today}, date_trunc('month', ${from}) + INTERVAL '1' MONTH)
            ) AS double
        ) AS days_left
    FROM days
    WHERE id IS NOT NULL
    GROUP BY scope, id
),
forecasts AS (
    SELECT
        scope,
        id,
        used,
        until + days_left * greatest(
            0e0,
            coalesce(last_30 / nullif(n30, 0), 0e0)
            + CASE
                WHEN n30 >= 14
                    THEN (last_30 * (n30 - 1) / 2e0 - aged_30) * 6e0 * (n30 + days_left)
                        / nullif(n30 * (n30 * n30 - 1), 0)
                ELSE 0e0
            END
        ) AS forecast
    FROM sums
),
limits AS (
    SELECT
        'tenant' AS scope,
        tenants.tenant_id AS id,
        coalesce(business_units.owner, '') AS owner,
        tenants.budget_mode AS mode,
        CAST(tenants.month_usd AS decimal(38, 12)) AS budget
    FROM tenants
    LEFT JOIN business_units ON business_units.id = tenants.business_unit
    UNION ALL
    SELECT
        'business_unit' AS scope,
        id,
        owner,
        budget_mode AS mode,
        CAST(month_usd AS decimal(38, 12)) AS budget
    FROM business_units
),
-- A tenant's shards are accounts of their own.
held AS (
    SELECT
        kind AS scope,
        scope AS id,
        CAST(sum(CAST(month_spent AS decimal(26, 0))) AS decimal(26, 0)) AS spent,
        CAST(sum(CAST(month_held AS decimal(26, 0))) AS decimal(26, 0)) AS held
    FROM budgets
    WHERE month = substr(CAST(${from} AS varchar), 1, 7)
    GROUP BY kind, scope
),
compared AS (
    SELECT
        limits.scope,
        limits.id,
        limits.owner,
        coalesce(limits.mode, '') AS mode,
        limits.budget,
        CAST(coalesce(held.spent, forecasts.used, 0) AS decimal(26, 0))
            * CAST('0.000000000001' AS decimal(12, 12)) AS spent,
        CAST(coalesce(held.held, 0) AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS held,
        CAST(coalesce(forecasts.forecast, 0e0) / 1e12 AS decimal(38, 2)) AS forecast
    FROM limits
    LEFT JOIN forecasts ON forecasts.scope = limits.scope AND forecasts.id = limits.id
    LEFT JOIN held ON held.scope = limits.scope AND held.id = limits.id
),
states AS (
    SELECT
        compared.*,
        CAST(budget - spent - held AS decimal(38, 12)) AS remaining,
        CAST(
            100 * CAST(spent + held AS double) / nullif(CAST(budget AS double), 0) AS decimal(38, 2)
        ) AS used_percent,
        CASE
            WHEN budget IS NULL THEN 'none'
            WHEN spent + held >= budget THEN 'over'
            WHEN forecast > budget OR (spent + held) * 5 >= budget * 4 THEN 'near'
            ELSE 'within'
        END AS state
    FROM compared
)
SELECT
    state,
    scope,
    id,
    owner,
    mode,
    budget,
    spent,
    held,
    remaining,
    used_percent,
    forecast
FROM states
WHERE ${state} = 'all' OR state = ${state}
ORDER BY
    CASE state WHEN 'over' THEN 1 WHEN 'near' THEN 2 WHEN 'within' THEN 3 ELSE 4 END,
    spent + held DESC,
    scope,
    id
