-- How much more or less each tenant spent than the week before, in exact US dollars.
--
-- Weeks begin on Monday, UTC, and are whole: the last is the last one of the period that is over.
-- The week before the first one counts for comparison. growth is the difference, and growth_percent
-- its part of the week before, which is empty where that cost nothing.
--
-- parameters:
--   tenant tenant = '': whose growth; all tenants' unless given
WITH weeks AS (
    SELECT
        tenant_id,
        CAST(date_trunc('week', dt) AS date) AS week,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0)) AS cost
    FROM usage
    WHERE dt >= date_trunc('week', ${from}) - INTERVAL '7' DAY
        AND dt < date_trunc('week', least(${to}, ${today}))
        AND settled_at < ${settled_before}
        AND (${tenant} = '' OR tenant_id = ${tenant})
    GROUP BY tenant_id, CAST(date_trunc('week', dt) AS date)
),
-- Each week counts as itself and as the week before the next, which may be without usage.
compared AS (
    SELECT
        tenant_id,
        CAST(week + days * INTERVAL '1' DAY AS date) AS week,
        CAST(sum(CASE WHEN days = 0 THEN cost ELSE 0 END) AS decimal(26, 0)) AS cost,
        CAST(sum(CASE WHEN days = 7 THEN cost ELSE 0 END) AS decimal(26, 0)) AS week_before
    FROM weeks
    CROSS JOIN (VALUES (0), (7)) AS shifts (days)
    GROUP BY tenant_id, CAST(week + days * INTERVAL '1' DAY AS date)
)
SELECT
    tenant_id,
    week,
    cost * CAST('0.000000000001' AS decimal(12, 12)) AS cost,
    week_before * CAST('0.000000000001' AS decimal(12, 12)) AS week_before,
    CAST(cost - week_before AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS growth,
    CAST(
        100 * CAST(cost - week_before AS double) / nullif(CAST(week_before AS double), 0)
        AS decimal(38, 2)
    ) AS growth_percent
FROM compared
WHERE week >= date_trunc('week', ${from})
    AND week < date_trunc('week', least(${to}, ${today}))
ORDER BY tenant_id, week
