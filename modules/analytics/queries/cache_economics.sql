-- What prompt caching saved and what it cost, by tenant and model.
--
-- A token that is read from the cache saves the price of uncached input less what was paid for it; a
-- token that is written costs its price less that of uncached input. net_saved is what uncached input
-- would have cost less all that was paid for the cache: exact, and below zero where a cache is written
-- and not read often enough. The price of uncached input is what the call itself paid, else the list
-- price. Where one call read and wrote, the list price of reads tells the two apart; net_saved does
-- not depend on it.
--
-- Calls without a known price of uncached input count in unknown_tokens and nowhere else, and so do
-- those without a price and those whose tokens the model service did not count.
-- totals: calls, cache_read_tokens, cache_write_tokens, paid_usd, saved_by_reads_usd, cost_of_writes_usd, net_saved_usd, unknown_tokens
-- parameters:
--   tenant tenant = '': whose usage; all unless given
WITH corrections AS (
    SELECT
        element_at(tags, 'corrects') AS request_id,
        sum(CAST(input_cost AS decimal(26, 0))) AS input_cost,
        sum(CAST(cache_cost AS decimal(26, 0))) AS cache_cost,
        count_if(priced) > 0 AS priced
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND settled_at < ${settled_before}
        AND operation = 'reprice'
    GROUP BY element_at(tags, 'corrects')
),
calls AS (
    SELECT
        usage.tenant_id,
        usage.model_id,
        usage.routing,
        usage.region,
        usage.service_tier,
        CASE usage.routing
            WHEN 'geo' THEN split_part(
                CASE
                    WHEN starts_with(usage.requested_model, 'arn:') THEN split_part(usage.requested_model, '/', 2)
                    ELSE usage.requested_model
                END,
                '.',
                1
            )
            ELSE ''
        END AS place,
        CAST(usage.dt AS varchar) AS day,
        usage.cache_read_tokens AS reads,
        usage.cache_write_5m_tokens + usage.cache_write_1h_tokens AS writes,
        usage.input_tokens,
        usage.usage_source = 'provider' AND (usage.priced OR coalesce(corrections.priced, false)) AS is_known,
        CAST(usage.input_cost + coalesce(corrections.input_cost, 0) AS decimal(26, 0)) AS input_cost,
        CAST(usage.cache_cost + coalesce(corrections.cache_cost, 0) AS decimal(26, 0)) AS cache_cost
    FROM usage
    LEFT JOIN corrections ON corrections.request_id = usage.request_id
    WHERE usage.dt >= ${from} AND usage.dt < ${to}
        AND usage.settled_at < ${settled_before}
        AND (${tenant} = '' OR usage.tenant_id = ${tenant})
        AND usage.operation <> 'reprice'
        AND usage.cache_read_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens > 0
),
-- A region with prices of its own has them in place of the general ones.
regions AS (
    SELECT DISTINCT model_id, place, effective_from, coalesce(effective_to, '9999') AS effective_to
    FROM prices
    WHERE routing = 'in_region' AND place <> ''
),
priced AS (
    SELECT
        calls.tenant_id,
        calls.model_id,
        calls.reads,
        calls.writes,
        calls.cache_cost,
        listed.cache_read_price,
        CASE
            WHEN NOT calls.is_known THEN NULL
            WHEN calls.input_tokens = 0 THEN listed.input_price
            ELSE CAST(
                CAST(calls.input_cost - calls.input_cost % calls.input_tokens AS double)
                / nullif(CAST(calls.input_tokens AS double), 0) AS bigint
            )
        END AS input_price
    FROM calls
    LEFT JOIN regions ON regions.model_id = calls.model_id
        AND regions.place = calls.region
        AND calls.routing = 'in_region'
        AND calls.day >= regions.effective_from AND calls.day < regions.effective_to
    LEFT JOIN prices AS listed ON listed.model_id = calls.model_id
        AND listed.routing = calls.routing
        AND listed.service_tier = calls.service_tier
        AND listed.place = coalesce(regions.place, calls.place)
        AND calls.day >= listed.effective_from AND calls.day < coalesce(listed.effective_to, '9999')
        AND calls.input_tokens + calls.reads + calls.writes >= listed.least_input_tokens
        AND (
            listed.most_input_tokens IS NULL
            OR calls.input_tokens + calls.reads + calls.writes <= listed.most_input_tokens
        )
),
split AS (
    SELECT
        tenant_id,
        model_id,
        reads,
        writes,
        input_price,
        cache_cost,
        CAST(reads AS decimal(26, 0)) * input_price AS reads_uncached,
        CAST(writes AS decimal(26, 0)) * input_price AS writes_uncached,
        CASE
            WHEN writes = 0 THEN cache_cost
            WHEN reads = 0 THEN CAST(0 AS decimal(26, 0))
            ELSE CAST(CAST(reads AS decimal(26, 0)) * coalesce(cache_read_price, input_price) AS decimal(26, 0))
        END AS reads_paid
    FROM priced
)
SELECT
    tenant_id,
    model_id,
    count(input_price) AS calls,
    coalesce(sum(CASE WHEN input_price IS NOT NULL THEN reads END), 0) AS cache_read_tokens,
    coalesce(sum(CASE WHEN input_price IS NOT NULL THEN writes END), 0) AS cache_write_tokens,
    CAST(coalesce(sum(CASE WHEN input_price IS NOT NULL THEN cache_cost END), 0) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS paid_usd,
    CAST(coalesce(sum(reads_uncached - reads_paid), 0) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS saved_by_reads_usd,
    CAST(coalesce(sum(cache_cost - reads_paid - writes_uncached), 0) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS cost_of_writes_usd,
    CAST(coalesce(sum(reads_uncached + writes_uncached - cache_cost), 0) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS net_saved_usd,
    coalesce(sum(CASE WHEN input_price IS NULL THEN reads + writes END), 0) AS unknown_tokens
FROM split
GROUP BY tenant_id, model_id
ORDER BY net_saved_usd, tenant_id, model_id
