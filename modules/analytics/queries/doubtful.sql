-- Which usage is booked at another figure than the provider's count at a known price.
--
-- unpriced: the model had no price, and the tenant's ceiling was booked; re-pricing corrects it.
-- orphaned: nobody knows how the call ended, and the most that it can have cost was booked.
-- bound: the provider counted more than the call can have used, and the most was booked.
-- estimated: a stream broke before its usage came, and what came was counted.
-- Each call is told once, under the first of these that it is. Calls whose price was corrected since
-- are no longer unpriced.
--
-- totals: calls, booked
-- parameters:
--   tenant tenant = '': whose usage; all tenants' unless given
WITH corrected AS (
    SELECT DISTINCT element_at(tags, 'corrects') AS request_id
    FROM usage
    WHERE dt >= ${from}
        AND dt < ${to}
        AND settled_at < ${settled_before}
        AND operation = 'reprice'
),
doubts AS (
    SELECT
        CASE
            WHEN NOT usage.priced AND corrected.request_id IS NULL THEN 'unpriced'
            WHEN usage.status = 'orphaned' OR usage.usage_source = 'hold' THEN 'orphaned'
            WHEN usage.usage_source = 'bound' THEN 'bound'
            WHEN usage.usage_source = 'estimated' THEN 'estimated'
        END AS doubt,
        usage.tenant_id,
        usage.app_id,
        usage.model_id,
        usage.dt,
        usage.total_cost
    FROM usage
    LEFT JOIN corrected ON corrected.request_id = usage.request_id
    WHERE dt >= ${from}
        AND dt < ${to}
        AND settled_at < ${settled_before}
        AND operation <> 'reprice'
        AND (${tenant} = '' OR tenant_id = ${tenant})
        AND (NOT priced OR status = 'orphaned' OR usage_source <> 'provider')
)
SELECT
    doubt,
    tenant_id,
    app_id,
    model_id,
    count(*) AS calls,
    min(dt) AS first_day,
    max(dt) AS last_day,
    CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS booked
FROM doubts
WHERE doubt IS NOT NULL
GROUP BY doubt, tenant_id, app_id, model_id
ORDER BY booked DESC, doubt, tenant_id, app_id, model_id
