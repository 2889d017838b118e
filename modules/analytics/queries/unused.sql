-- Which keys and which allowed models no call of the period used.
--
-- Keys that are active, with their last day where they have one, and patterns of models as the tenant's
-- file says them. A pattern is used where a call asked for a model that it matches, whether the call
-- was answered or not; what was refused before a model was called leaves no row. A call that named the
-- ARN of a profile of the account's own counts for patterns of the model behind it on every routing.
-- parameters:
--   tenant tenant = '': whose keys and models; all tenants' unless given
WITH used AS (
    SELECT
        tenant_id,
        key_id,
        model_id,
        CASE
            WHEN strpos(requested_model, ':inference-profile/') > 0 THEN split_part(requested_model, '/', 2)
            WHEN starts_with(requested_model, 'arn:') THEN model_id
            ELSE requested_model
        END AS profile_id,
        starts_with(requested_model, 'arn:') AND strpos(requested_model, ':inference-profile/') = 0 AS is_own
    FROM usage
    WHERE dt >= ${from} AND dt < ${to}
        AND (${tenant} = '' OR tenant_id = ${tenant})
        AND operation <> 'reprice'
    GROUP BY
        tenant_id,
        key_id,
        model_id,
        CASE
            WHEN strpos(requested_model, ':inference-profile/') > 0 THEN split_part(requested_model, '/', 2)
            WHEN starts_with(requested_model, 'arn:') THEN model_id
            ELSE requested_model
        END,
        starts_with(requested_model, 'arn:') AND strpos(requested_model, ':inference-profile/') = 0
),
known AS (
    SELECT tenant_id, keys, key_status, key_expires, models
    FROM tenants
    WHERE status <> 'offboarded'
        AND (${tenant} = '' OR tenant_id = ${tenant})
),
idle_keys AS (
    SELECT
        known.tenant_id,
        'key' AS kind,
        named.name,
        max(nullif(element_at(known.key_expires, named.name), '')) AS expires
    FROM known
    CROSS JOIN UNNEST(known.keys) AS named(name)
    LEFT JOIN used ON used.tenant_id = known.tenant_id AND used.key_id = named.name
    WHERE element_at(known.key_status, named.name) = 'active'
    GROUP BY known.tenant_id, named.name
    HAVING count(used.tenant_id) = 0
),
patterns AS (
    SELECT
        known.tenant_id,
        named.name,
        replace(replace(named.name, '_', '!_'), '*', '%') AS pattern,
        replace(replace(substr(named.name, strpos(named.name, '.') + 1), '_', '!_'), '*', '%') AS bare_pattern
    FROM known
    CROSS JOIN UNNEST(known.models) AS named(name)
),
idle_models AS (
    SELECT patterns.tenant_id, 'model' AS kind, patterns.name, CAST(NULL AS varchar) AS expires
    FROM patterns
    LEFT JOIN used ON used.tenant_id = patterns.tenant_id
        AND (
            used.profile_id LIKE patterns.pattern ESCAPE '!'
            OR (used.is_own AND used.model_id LIKE patterns.bare_pattern ESCAPE '!')
        )
    GROUP BY patterns.tenant_id, patterns.name
    HAVING count(used.tenant_id) = 0
)
SELECT tenant_id, kind, name, expires
FROM (
    SELECT tenant_id, kind, name, expires
    FROM idle_keys
    UNION ALL
    SELECT tenant_id, kind, name, expires
    FROM idle_models
) AS idle
ORDER BY tenant_id, kind, name
