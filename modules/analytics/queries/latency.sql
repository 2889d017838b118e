-- How long answers took, by tenant and model.
--
-- Milliseconds from the call's arrival until it was settled, and until its first token where the
-- answer was streamed; a job's wait in the queue is part of both. Only calls that were answered
-- count, since a failure is often fast. Percentiles are exact, by nearest rank: p95_ms is the least
-- wait of those that occurred which at least 95 of 100 calls did not exceed. Null where no answer was
-- streamed.
-- parameters:
--   tenant tenant = '': whose calls; all unless given
WITH waits AS (
    SELECT tenant_id, model_id, 'answer' AS until, latency_ms AS ms, count(*) AS calls
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND (${tenant} = '' OR tenant_id = ${tenant})
        AND status = 'ok' AND operation <> 'reprice'
    GROUP BY tenant_id, model_id, latency_ms
    UNION ALL
    SELECT tenant_id, model_id, 'first token' AS until, first_token_ms AS ms, count(*) AS calls
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND (${tenant} = '' OR tenant_id = ${tenant})
        AND status = 'ok' AND operation <> 'reprice'
        AND first_token_ms IS NOT NULL
    GROUP BY tenant_id, model_id, first_token_ms
),
ranked AS (
    SELECT
        tenant_id,
        model_id,
        until,
        ms,
        sum(calls) OVER (
            PARTITION BY tenant_id, model_id, until ORDER BY ms ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS reached,
        sum(calls) OVER (PARTITION BY tenant_id, model_id, until) AS calls
    FROM waits
)
SELECT
    tenant_id,
    model_id,
    max(CASE WHEN until = 'answer' THEN calls END) AS calls,
    min(CASE WHEN until = 'answer' AND reached * 100 >= calls * 50 THEN ms END) AS p50_ms,
    min(CASE WHEN until = 'answer' AND reached * 100 >= calls * 95 THEN ms END) AS p95_ms,
    min(CASE WHEN until = 'answer' AND reached * 100 >= calls * 99 THEN ms END) AS p99_ms,
    coalesce(max(CASE WHEN until = 'first token' THEN calls END), 0) AS streamed_calls,
    min(CASE WHEN until = 'first token' AND reached * 100 >= calls * 50 THEN ms END) AS first_token_p50_ms,
    min(CASE WHEN until = 'first token' AND reached * 100 >= calls * 95 THEN ms END) AS first_token_p95_ms,
    min(CASE WHEN until = 'first token' AND reached * 100 >= calls * 99 THEN ms END) AS first_token_p99_ms
FROM ranked
GROUP BY tenant_id, model_id
ORDER BY tenant_id, model_id
