-- What the same tokens would have cost on the next smaller model of the family, by tenant and model.
--
-- The smaller model is the newest one of the next smaller size that has a price for the same routing,
-- place and service tier, at its list price of each call's day, with what a long input adds. Tokens of
-- the cache are priced as such where it has a price for them, else as input. paid_usd is what the
-- calls' tokens cost with all corrections of prices. A smaller model can need more tokens, or not do
-- the work: that is for who uses it to judge.
--
-- Calls without a price, and those whose tokens the model service did not count, are left out.
-- totals: calls, input_tokens, output_tokens, paid_usd, smaller_usd, saving_usd
-- parameters:
--   tenant tenant = '': whose usage; all unless given
--   least_saving_usd decimal = 1: what a line has to save to be shown
WITH corrections AS (
    SELECT
        element_at(tags, 'corrects') AS request_id,
        sum(CAST(input_cost AS decimal(26, 0)) + output_cost + cache_cost) AS token_cost,
        count_if(priced) > 0 AS priced
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND settled_at < ${settled_before}
        AND operation = 'reprice'
    GROUP BY element_at(tags, 'corrects')
),
places AS (
    SELECT DISTINCT routing, place
    FROM prices
),
-- Every place that the book names has the price of its own, else the general one.
own AS (
    SELECT DISTINCT model_id, place, effective_from
    FROM prices
    WHERE routing = 'in_region' AND place <> ''
),
placed AS (
    SELECT
        prices.model_id,
        prices.family,
        prices.size_order,
        prices.generation,
        coalesce(prices.end_of_life, '9999') AS end_of_life,
        prices.routing,
        places.place,
        prices.service_tier,
        prices.effective_from,
        coalesce(prices.effective_to, '9999') AS effective_to,
        prices.least_input_tokens,
        coalesce(prices.most_input_tokens, 9223372036854775807) AS most_input_tokens,
        prices.input_price,
        prices.output_price,
        coalesce(prices.cache_read_price, prices.input_price) AS cache_read_price,
        coalesce(prices.cache_write_5m_price, prices.input_price) AS cache_write_5m_price,
        coalesce(prices.cache_write_1h_price, prices.input_price) AS cache_write_1h_price
    FROM prices
    JOIN places ON places.routing = prices.routing
    LEFT JOIN own ON own.model_id = prices.model_id
        AND own.place = places.place
        AND own.effective_from = prices.effective_from
    WHERE prices.family IS NOT NULL
        AND prices.input_price IS NOT NULL
        AND prices.output_price IS NOT NULL
        AND (
            prices.place = places.place
            OR (prices.routing = 'in_region' AND prices.place = '' AND own.model_id IS NULL)
        )
),
sizes AS (
    SELECT DISTINCT model_id, family, size_order, generation, end_of_life, routing, place, service_tier
    FROM placed
),
choices AS (
    SELECT
        larger.model_id,
        larger.routing,
        larger.place,
        larger.service_tier,
        smaller.model_id AS smaller_model_id,
        row_number() OVER (
            PARTITION BY larger.model_id, larger.routing, larger.place, larger.service_tier
            ORDER BY smaller.size_order DESC, smaller.generation DESC
        ) AS choice
    FROM sizes AS larger
    JOIN sizes AS smaller ON smaller.family = larger.family
        AND smaller.routing = larger.routing
        AND smaller.place = larger.place
        AND smaller.service_tier = larger.service_tier
        AND smaller.size_order < larger.size_order
    WHERE smaller.end_of_life > CAST(${to} AS varchar)
),
calls AS (
    SELECT
        usage.tenant_id,
        usage.model_id,
        usage.routing,
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
            WHEN 'in_region' THEN coalesce(regions.place, '')
            ELSE ''
        END AS place,
        CAST(usage.dt AS varchar) AS day,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.input_tokens + usage.cache_read_tokens
            + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens AS total_input,
        CAST(usage.input_cost AS decimal(26, 0)) + usage.output_cost + usage.cache_cost
            + coalesce(corrections.token_cost, 0) AS token_cost
    FROM usage
    LEFT JOIN corrections ON corrections.request_id = usage.request_id
    LEFT JOIN places AS regions ON regions.routing = usage.routing AND regions.place = usage.region
    WHERE usage.dt >= ${from} AND usage.dt < ${to}
        AND usage.settled_at < ${settled_before}
        AND (${tenant} = '' OR usage.tenant_id = ${tenant})
        AND usage.operation <> 'reprice'
        AND usage.usage_source = 'provider'
        AND (usage.priced OR coalesce(corrections.priced, false))
),
compared AS (
    SELECT
        calls.tenant_id,
        calls.model_id,
        choices.smaller_model_id,
        count(*) AS calls,
        sum(calls.total_input) AS input_tokens,
        sum(calls.output_tokens) AS output_tokens,
        CAST(sum(calls.token_cost) AS decimal(26, 0)) AS paid,
        CAST(
            sum(
                CAST(calls.input_tokens AS decimal(26, 0)) * smaller.input_price
                + CAST(calls.output_tokens AS decimal(26, 0)) * smaller.output_price
                + CAST(calls.cache_read_tokens AS decimal(26, 0)) * smaller.cache_read_price
                + CAST(calls.cache_write_5m_tokens AS decimal(26, 0)) * smaller.cache_write_5m_price
                + CAST(calls.cache_write_1h_tokens AS decimal(26, 0)) * smaller.cache_write_1h_price
            ) AS decimal(26, 0)
        ) AS due
    FROM calls
    JOIN choices ON choices.model_id = calls.model_id
        AND choices.routing = calls.routing
        AND choices.place = calls.place
        AND choices.service_tier = calls.service_tier
        AND choices.choice = 1
    JOIN placed AS smaller ON smaller.model_id = choices.smaller_model_id
        AND smaller.routing = calls.routing
        AND smaller.place = calls.place
        AND smaller.service_tier = calls.service_tier
        AND calls.day >= smaller.effective_from AND calls.day < smaller.effective_to
        AND calls.total_input >= smaller.least_input_tokens
        AND calls.total_input <= smaller.most_input_tokens
    GROUP BY calls.tenant_id, calls.model_id, choices.smaller_model_id
)
SELECT
    tenant_id,
    model_id,
    smaller_model_id,
    calls,
    input_tokens,
    output_tokens,
    paid * CAST('0.000000000001' AS decimal(12, 12)) AS paid_usd,
    due * CAST('0.000000000001' AS decimal(12, 12)) AS smaller_usd,
    CAST(paid - due AS decimal(26, 0)) * CAST('0.000000000001' AS decimal(12, 12)) AS saving_usd
FROM compared
WHERE paid - due >= CAST(CAST(${least_saving_usd} AS decimal(26, 12)) * 1000000000000 AS decimal(38, 0))
ORDER BY saving_usd DESC, tenant_id, model_id, smaller_model_id
