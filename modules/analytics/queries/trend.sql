-- What each tenant will have spent by the period's end, by its trend of 30 and 90 days, in US dollars.
--
-- spent is the period up to yesterday, UTC, or its end; last_30 and last_90 are the days before
-- that, each with its trend: the slope of a straight line through the days (least squares), as
-- dollars that a day costs more than the day before. A tenant that is younger than that has the days
-- since its first call, of the last 90. forecast continues the line of 30 days to the period's end,
-- from spent on; with fewer than 14 days it continues their average, and it never falls below what is
-- spent. A forecast is not exact: it is rounded to the cent.
--
-- totals: spent, last_30, last_90, forecast
-- parameters:
--   tenant tenant = '': whose trend; all tenants' unless given
WITH days AS (
    SELECT
        tenant_id,
        dt,
        -- Yesterday is 0.
        date_diff('day', dt, least(${to}, ${today})) - 1 AS age,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0)) AS cost
    FROM usage
    WHERE (dt >= ${from} OR dt >= least(${to}, ${today}) - INTERVAL '90' DAY)
        AND dt < least(${to}, ${today})
        AND settled_at < ${settled_before}
        AND (${tenant} = '' OR tenant_id = ${tenant})
    GROUP BY tenant_id, dt
),
sums AS (
    SELECT
        tenant_id,
        CAST(sum(CASE WHEN dt >= ${from} THEN cost ELSE 0 END) AS decimal(26, 0)) AS spent,
        CAST(sum(CASE WHEN age < 30 THEN cost ELSE 0 END) AS decimal(26, 0)) AS last_30,
        CAST(sum(CASE WHEN age < 90 THEN cost ELSE 0 END) AS decimal(26, 0)) AS last_90,
        -- Of cost times age: what least squares needs.
        CAST(sum(CASE WHEN age < 30 THEN cost * age ELSE 0 END) AS double) AS aged_30,
        CAST(sum(CASE WHEN age < 90 THEN cost * age ELSE 0 END) AS double) AS aged_90,
        CAST(coalesce(max(CASE WHEN age < 90 THEN age END) + 1, 0) AS double) AS n90
    FROM days
    GROUP BY tenant_id
),
lines AS (
    SELECT
        sums.*,
        least(n90, 30e0) AS n30,
        CAST(greatest(0, date_diff('day', least(${to}, ${today}), ${to})) AS double) AS days_left,
        -- Days count from the oldest on, so more age is less of a slope.
        (CAST(last_30 AS double) * (least(n90, 30e0) - 1) / 2e0 - aged_30) * 12e0
            / nullif(least(n90, 30e0) * (least(n90, 30e0) * least(n90, 30e0) - 1), 0) AS slope_30,
        (CAST(last_90 AS double) * (n90 - 1) / 2e0 - aged_90) * 12e0
            / nullif(n90 * (n90 * n90 - 1), 0) AS slope_90
    FROM sums
)
SELECT
    tenant_id,
    spent * CAST('0.000000000001' AS decimal(12, 12)) AS spent,
    last_30 * CAST('0.000000000001' AS decimal(12, 12)) AS last_30,
    CAST(slope_30 / 1e12 AS decimal(38, 4)) AS trend_30,
    last_90 * CAST('0.000000000001' AS decimal(12, 12)) AS last_90,
    CAST(slope_90 / 1e12 AS decimal(38, 4)) AS trend_90,
    CAST(days_left AS integer) AS days_left,
    CAST(
        (
            CAST(spent AS double)
            + days_left * greatest(
                0e0,
                coalesce(CAST(last_30 AS double) / nullif(n30, 0), 0e0)
                + CASE WHEN n30 >= 14 THEN slope_30 * (n30 + days_left) / 2e0 ELSE 0e0 END
            )
        ) / 1e12 AS decimal(38, 2)
    ) AS forecast
FROM lines
ORDER BY forecast DESC, tenant_id
