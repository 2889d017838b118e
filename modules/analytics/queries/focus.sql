-- The month's ledger in the columns of FOCUS 1.2: what each tenant used, by day, key, model and meter.
--
-- A line is a day (or an hour) of one key, model and meter: input, output, cache or other. Its costs
-- are those of the ledger's rows, to the picodollar; a unit price is cost by quantity, at 18 places.
-- Corrections of prices are lines of the category Adjustment; calls that failed and cost nothing are
-- on no line. What tenants are charged beyond that (markup, shared costs, credits, notes, rounding)
-- are the lines of focus_statement.
--
-- totals: BilledCost
-- parameters:
--   grain text of day|hour = 'day': how long a charge period is
--   settled_until text = '9999-12-31 00:00:00': leaves out what was settled from then on, UTC
--   invoiced text of no|yes = 'no': whether the month has statements, which are its invoices
--   issuer text = 'Tollgate': who provides the gateway and issues the statements
WITH calls AS (
    SELECT
        CAST(date_trunc(${grain}, started_at) AS timestamp) AS began,
        tenant_id,
        app_id,
        key_id,
        cost_center,
        coalesce(nullif(business_unit, ''), 'unassigned') AS unit,
        tier,
        region,
        coalesce(account_id, '') AS aws_account,
        CASE WHEN dialect LIKE '%.endpoint' THEN 'Amazon SageMaker' ELSE 'Amazon Bedrock' END AS service,
        model_id,
        routing,
        service_tier,
        coalesce(inference_profile_arn, '') AS profile,
        coalesce(element_at(tags, 'team'), '') AS team,
        price_version,
        operation = 'reprice' AS corrects,
        input_tokens,
        output_tokens,
        cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens AS cache_tokens,
        images,
        input_cost,
        output_cost,
        cache_cost,
        other_cost,
        total_cost
    FROM usage
    WHERE dt >= ${from}
        AND dt < ${to}
        AND settled_at < CAST(${settled_until} AS timestamp)
        AND (status <> 'error' OR total_cost <> 0)
),
sums AS (
    SELECT
        began, tenant_id, app_id, key_id, cost_center, unit, tier, region, aws_account, service,
        model_id, routing, service_tier, profile, team, price_version, corrects,
        count(*) AS calls,
        CAST(sum(input_tokens) AS decimal(26, 0)) AS input_tokens,
        CAST(sum(output_tokens) AS decimal(26, 0)) AS output_tokens,
        CAST(sum(cache_tokens) AS decimal(26, 0)) AS cache_tokens,
        CAST(sum(images) AS decimal(26, 0)) AS images,
        CAST(sum(CAST(input_cost AS decimal(26, 0))) AS decimal(26, 0)) AS input_cost,
        CAST(sum(CAST(output_cost AS decimal(26, 0))) AS decimal(26, 0)) AS output_cost,
        CAST(sum(CAST(cache_cost AS decimal(26, 0))) AS decimal(26, 0)) AS cache_cost,
        CAST(sum(CAST(other_cost AS decimal(26, 0))) AS decimal(26, 0)) AS other_cost,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0)) AS total_cost
    FROM calls
    GROUP BY
        began, tenant_id, app_id, key_id, cost_center, unit, tier, region, aws_account, service,
        model_id, routing, service_tier, profile, team, price_version, corrects
),
metered AS (
    SELECT
        sums.*,
        meter,
        CASE meter
            WHEN 'input' THEN input_cost
            WHEN 'output' THEN output_cost
            WHEN 'cache' THEN cache_cost
            WHEN 'other' THEN other_cost
            ELSE total_cost
        END AS cost,
        CASE meter
            WHEN 'input' THEN input_tokens
            WHEN 'output' THEN output_tokens
            WHEN 'cache' THEN cache_tokens
            WHEN 'other' THEN images
        END AS units
    FROM sums
    CROSS JOIN (VALUES ('input'), ('output'), ('cache'), ('other'), ('correction')) AS meters(meter)
    WHERE corrects = (meter = 'correction')
),
lines AS (
    SELECT
        metered.*,
        cost AS list_cost,
        -- What was counted in nothing else is counted in requests: searches, guardrails, unknown tokens.
        CASE WHEN units > 0 THEN units ELSE CAST(calls AS decimal(26, 0)) END AS quantity,
        CASE WHEN units > 0 AND meter = 'other' THEN 'Images' WHEN units > 0 THEN 'Tokens' ELSE 'Requests' END AS quantity_unit
    FROM metered
    WHERE cost <> 0 OR units > 0
)
SELECT
    CAST(NULL AS varchar) AS AvailabilityZone,
    CAST(cost * CAST('0.000000000001' AS decimal(12, 12)) AS decimal(38, 12)) AS BilledCost,
    unit AS BillingAccountId,
    unit AS BillingAccountName,
    'Business unit' AS BillingAccountType,
    'USD' AS BillingCurrency,
    CAST(${to} AS timestamp) AS BillingPeriodEnd,
    CAST(${from} AS timestamp) AS BillingPeriodStart,
    CAST(NULL AS varchar) AS CapacityReservationId,
    CAST(NULL AS varchar) AS CapacityReservationStatus,
    CASE WHEN meter = 'correction' THEN 'Adjustment' ELSE 'Usage' END AS ChargeCategory,
    CAST(NULL AS varchar) AS ChargeClass,
    CASE WHEN meter = 'correction' THEN 'Corrected prices of ' ELSE meter || ' of ' END || model_id || ' by ' || app_id AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    CAST(CASE ${grain} WHEN 'hour' THEN began + INTERVAL '1' HOUR ELSE began + INTERVAL '1' DAY END AS timestamp) AS ChargePeriodEnd,
    began AS ChargePeriodStart,
    CAST(NULL AS varchar) AS CommitmentDiscountCategory,
    CAST(NULL AS varchar) AS CommitmentDiscountId,
    CAST(NULL AS varchar) AS CommitmentDiscountName,
    CAST(NULL AS decimal(38, 12)) AS CommitmentDiscountQuantity,
    CAST(NULL AS varchar) AS CommitmentDiscountStatus,
    CAST(NULL AS varchar) AS CommitmentDiscountType,
    CAST(NULL AS varchar) AS CommitmentDiscountUnit,
    CASE WHEN meter <> 'correction' THEN CAST(quantity AS decimal(38, 12)) END AS ConsumedQuantity,
    CASE WHEN meter <> 'correction' THEN quantity_unit END AS ConsumedUnit,
    CAST(cost * CAST('0.000000000001' AS decimal(12, 12)) AS decimal(38, 12)) AS ContractedCost,
    CASE WHEN meter <> 'correction' THEN CAST(coalesce(CAST(cost AS double) / nullif(CAST(quantity AS double), 0), 0e0) / 1e12 AS decimal(38, 18)) END AS ContractedUnitPrice,
    CAST(cost * CAST('0.000000000001' AS decimal(12, 12)) AS decimal(38, 12)) AS EffectiveCost,
    'AWS' AS HostProviderName,
    CASE ${invoiced} WHEN 'yes' THEN substr(CAST(${from} AS varchar), 1, 7) || '/tenant/' || tenant_id END AS InvoiceId,
    ${issuer} AS InvoiceIssuerName,
    CAST(list_cost * CAST('0.000000000001' AS decimal(12, 12)) AS decimal(38, 12)) AS ListCost,
    CASE WHEN meter <> 'correction' THEN CAST(coalesce(CAST(list_cost AS double) / nullif(CAST(quantity AS double), 0), 0e0) / 1e12 AS decimal(38, 18)) END AS ListUnitPrice,
    CASE WHEN meter <> 'correction' THEN 'Standard' END AS PricingCategory,
    'USD' AS PricingCurrency,
    CASE WHEN meter <> 'correction' THEN CAST(coalesce(CAST(cost AS double) / nullif(CAST(quantity AS double), 0), 0e0) / 1e12 AS decimal(38, 18)) END AS PricingCurrencyContractedUnitPrice,
    CAST(cost * CAST('0.000000000001' AS decimal(12, 12)) AS decimal(38, 12)) AS PricingCurrencyEffectiveCost,
    CASE WHEN meter <> 'correction' THEN CAST(coalesce(CAST(list_cost AS double) / nullif(CAST(quantity AS double), 0), 0e0) / 1e12 AS decimal(38, 18)) END AS PricingCurrencyListUnitPrice,
    CASE WHEN meter <> 'correction' THEN CAST(quantity AS decimal(38, 12)) END AS PricingQuantity,
    CASE WHEN meter <> 'correction' THEN quantity_unit END AS PricingUnit,
    ${issuer} AS ProviderName,
    CASE WHEN strpos(model_id, '.') > 0 THEN split_part(model_id, '.', 1) ELSE 'AWS' END AS PublisherName,
    region AS RegionId,
    region AS RegionName,
    CASE WHEN profile <> '' THEN profile ELSE aws_account || '/' || region || '/' || model_id END AS ResourceId,
    model_id AS ResourceName,
    CASE WHEN profile <> '' THEN 'Inference profile' WHEN service = 'Amazon SageMaker' THEN 'Endpoint' ELSE 'Model' END AS ResourceType,
    'AI and Machine Learning' AS ServiceCategory,
    service AS ServiceName,
    ${issuer} AS ServiceProviderName,
    'Generative AI' AS ServiceSubcategory,
    CASE WHEN meter <> 'correction' THEN model_id || '/' || meter END AS SkuId,
    CASE WHEN meter <> 'correction' THEN meter END AS SkuMeter,
    CASE WHEN meter <> 'correction' THEN map(ARRAY['x_routing', 'x_service_tier'], ARRAY[routing, service_tier]) END AS SkuPriceDetails,
    CASE WHEN meter <> 'correction' THEN model_id || '/' || meter || '/' || routing || '/' || region || '/' || service_tier || '/' || price_version END AS SkuPriceId,
    tenant_id AS SubAccountId,
    tenant_id AS SubAccountName,
    'Tenant' AS SubAccountType,
    map(
        ARRAY['tenant', 'app', 'key', 'cost_center', 'business_unit', 'tier', 'team'],
        ARRAY[tenant_id, app_id, key_id, cost_center, unit, tier, team]
    ) AS Tags,
    nullif(aws_account, '') AS x_AwsAccountId,
    calls AS x_Calls,
    cost_center AS x_CostCenter,
    'ledger' AS x_Source
FROM lines
ORDER BY ChargePeriodStart, SubAccountId, ChargeDescription, SkuPriceId, ResourceId, BilledCost
