-- Whether each tier was as available and as fast as it is promised to be.
--
-- Availability is the part of the calls that were answered, of those that were owed an answer: calls
-- that the model service refused for what was in them (HTTP 4xx but 429) are nobody's outage and left
-- out; throttled, failed and broken ones are not answered. It is cut, not rounded, so that 99.99 is
-- never said of less. Waits are as in latency: the exact 95th percentile of answered calls by nearest
-- rank, until the end and until the first token of those streamed. Targets are those of the tenants'
-- tiers today; usage of a tenant that is not in the list of tenants is promised nothing.
--
-- What the gateway refused before it called a model has no row and counts nowhere.
-- parameters:
--   by text of tier|tenant = 'tier': whether tiers are judged as a whole or tenants one by one
WITH targets AS (
    SELECT
        CASE ${by} WHEN 'tenant' THEN tenant_id ELSE tier END AS name,
        max(tier) AS tier,
        count(*) AS tenants,
        max(sla_availability) AS availability,
        max(sla_latency_p95_ms) AS latency,
        max(sla_first_token_p95_ms) AS first_token
    FROM tenants
    GROUP BY CASE ${by} WHEN 'tenant' THEN tenant_id ELSE tier END
),
waits AS (
    SELECT
        CASE ${by} WHEN 'tenant' THEN tenants.tenant_id ELSE tenants.tier END AS name,
        'answer' AS until,
        CASE
            WHEN usage.status = 'ok' THEN 'answered'
            WHEN usage.http_status >= 400 AND usage.http_status < 500 AND usage.http_status <> 429 THEN 'refused'
            ELSE 'failed'
        END AS outcome,
        usage.latency_ms AS ms,
        count(*) AS calls
    FROM usage
    JOIN tenants ON tenants.tenant_id = usage.tenant_id
    WHERE usage.dt >= ${from} AND usage.dt < ${to}
        AND usage.operation <> 'reprice'
    GROUP BY
        CASE ${by} WHEN 'tenant' THEN tenants.tenant_id ELSE tenants.tier END,
        CASE
            WHEN usage.status = 'ok' THEN 'answered'
            WHEN usage.http_status >= 400 AND usage.http_status < 500 AND usage.http_status <> 429 THEN 'refused'
            ELSE 'failed'
        END,
        usage.latency_ms
    UNION ALL
    SELECT
        CASE ${by} WHEN 'tenant' THEN tenants.tenant_id ELSE tenants.tier END AS name,
        'first token' AS until,
        'answered' AS outcome,
        usage.first_token_ms AS ms,
        count(*) AS calls
    FROM usage
    JOIN tenants ON tenants.tenant_id = usage.tenant_id
    WHERE usage.dt >= ${from} AND usage.dt < ${to}
        AND usage.operation <> 'reprice'
        AND usage.status = 'ok'
        AND usage.first_token_ms IS NOT NULL
    GROUP BY CASE ${by} WHEN 'tenant' THEN tenants.tenant_id ELSE tenants.tier END, usage.first_token_ms
),
reached AS (
    SELECT
        name,
        until,
        outcome,
        ms,
        calls,
        sum(calls) OVER (
            PARTITION BY name, until, outcome ORDER BY ms ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS reached,
        sum(calls) OVER (PARTITION BY name, until, outcome) AS of_all
    FROM waits
),
measured AS (
    SELECT
        name,
        sum(CASE WHEN until = 'answer' THEN calls ELSE 0 END) AS calls,
        sum(CASE WHEN until = 'answer' AND outcome = 'answered' THEN calls ELSE 0 END) AS answered,
        sum(CASE WHEN until = 'answer' AND outcome <> 'refused' THEN calls ELSE 0 END) AS owed,
        min(
            CASE WHEN until = 'answer' AND outcome = 'answered' AND reached * 100 >= of_all * 95 THEN ms END
        ) AS latency,
        min(CASE WHEN until = 'first token' AND reached * 100 >= of_all * 95 THEN ms END) AS first_token
    FROM reached
    GROUP BY name
)
SELECT
    targets.name,
    targets.tier,
    targets.tenants,
    coalesce(measured.calls, 0) AS calls,
    targets.availability AS availability_target,
    CAST(
        CAST(1000000 * measured.answered - (1000000 * measured.answered) % nullif(measured.owed, 0) AS double)
        / nullif(CAST(measured.owed AS double), 0) AS decimal(18, 0)
    ) * CAST('0.0001' AS decimal(4, 4)) AS availability_percent,
    CASE
        WHEN targets.availability IS NULL THEN 'no target'
        WHEN coalesce(measured.owed, 0) = 0 THEN 'no calls'
        WHEN 100 * measured.answered >= CAST(targets.availability AS decimal(9, 6)) * measured.owed THEN 'met'
        ELSE 'missed'
    END AS availability,
    targets.latency AS p95_target_ms,
    measured.latency AS p95_ms,
    CASE
        WHEN targets.latency IS NULL THEN 'no target'
        WHEN measured.latency IS NULL THEN 'no calls'
        WHEN measured.latency <= targets.latency THEN 'met'
        ELSE 'missed'
    END AS latency,
    targets.first_token AS first_token_p95_target_ms,
    measured.first_token AS first_token_p95_ms,
    CASE
        WHEN targets.first_token IS NULL THEN 'no target'
        WHEN measured.first_token IS NULL THEN 'no calls'
        WHEN measured.first_token <= targets.first_token THEN 'met'
        ELSE 'missed'
    END AS first_token
FROM targets
LEFT JOIN measured ON measured.name = targets.name
ORDER BY targets.tier, targets.name
