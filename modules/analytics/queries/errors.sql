-- How many calls were answered, throttled, refused by the model service or failed, by tenant and model.
--
-- Each call is in one of answered, throttled (the model service had no capacity for it), refused (the
-- model service did not accept it, HTTP 4xx) and failed (HTTP 5xx, broken streams and calls whose end
-- nobody knows, which are unsettled as well). withheld are of those answered: a guardrail or the
-- model's own filter took the place of the text. Percentages are of all calls, rounded half up.
--
-- What the gateway itself refused before it called a model has no row and is not here: a budget or
-- rate that is used up, a model that is not allowed, a request or key that is wrong.
-- totals: calls, answered, throttled, refused, failed, unsettled, withheld
-- parameters:
--   tenant tenant = '': whose calls; all unless given
WITH calls AS (
    SELECT
        tenant_id,
        model_id,
        CASE
            WHEN status = 'ok' THEN 'answered'
            WHEN http_status = 429 OR lower(error_code) LIKE '%throttl%' THEN 'throttled'
            WHEN http_status >= 400 AND http_status < 500 THEN 'refused'
            ELSE 'failed'
        END AS outcome,
        status = 'orphaned' AS is_unsettled,
        status = 'ok' AND coalesce(stop_reason, '')
            IN ('guardrail_intervened', 'content_filtered', 'content_filter', 'refusal') AS is_withheld
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND (${tenant} = '' OR tenant_id = ${tenant})
        AND operation <> 'reprice'
),
counts AS (
    SELECT
        tenant_id,
        model_id,
        count(*) AS calls,
        count_if(outcome = 'answered') AS answered,
        count_if(outcome = 'throttled') AS throttled,
        count_if(outcome = 'refused') AS refused,
        count_if(outcome = 'failed') AS failed,
        count_if(is_unsettled) AS unsettled,
        count_if(is_withheld) AS withheld
    FROM calls
    GROUP BY tenant_id, model_id
)
SELECT
    tenant_id,
    model_id,
    calls,
    answered,
    throttled,
    refused,
    failed,
    unsettled,
    withheld,
    -- Hundredths of a percent, (20000 n + calls) / (2 calls) rounded down, divide without a rest.
    CAST(
        CAST(20000 * throttled + calls - (20000 * throttled + calls) % (2 * calls) AS double)
        / nullif(CAST(2 * calls AS double), 0) AS decimal(18, 0)
    ) * CAST('0.01' AS decimal(2, 2)) AS throttled_percent,
    CAST(
        CAST(20000 * refused + calls - (20000 * refused + calls) % (2 * calls) AS double)
        / nullif(CAST(2 * calls AS double), 0) AS decimal(18, 0)
    ) * CAST('0.01' AS decimal(2, 2)) AS refused_percent,
    CAST(
        CAST(20000 * failed + calls - (20000 * failed + calls) % (2 * calls) AS double)
        / nullif(CAST(2 * calls AS double), 0) AS decimal(18, 0)
    ) * CAST('0.01' AS decimal(2, 2)) AS failed_percent
FROM counts
ORDER BY tenant_id, model_id
