-- What a closed month's statements charge beyond the ledger's costs, in the columns of FOCUS 1.2.
--
-- With the lines of focus it is what was stated: their BilledCost adds up to the net total of each
-- tenant's statement, to the cent. Markup is an Adjustment, a shared cost a Purchase, discounts and
-- credits are Credit; a credit or debit note is an Adjustment of the class Correction whose charge
-- period is the month that it corrects. What rounds a statement to cents is an Adjustment. Of
-- statements in another currency the amounts are the US dollars before it, without rounding.
--
-- totals: BilledCost
-- parameters:
--   issuer text = 'Tollgate': who provides the gateway and issues the statements
WITH stated AS (
    SELECT
        statement,
        kind,
        period,
        tenant_id,
        cost_center,
        business_unit AS unit,
        CASE WHEN kind = 'usage' THEN 'Markup on ' || model_id || ' by ' || app_id ELSE description END AS description,
        CASE WHEN kind = 'usage' THEN charge - cost ELSE charge END AS amount,
        CASE WHEN currency = 'USD' THEN net - charge ELSE CAST('0' AS decimal(38, 12)) END AS rounding
    FROM statements
    WHERE month = substr(CAST(${from} AS varchar), 1, 7)
),
lines AS (
    SELECT statement, kind, period, tenant_id, cost_center, unit, description, CAST(sum(amount) AS decimal(38, 12)) AS amount
    FROM stated
    GROUP BY statement, kind, period, tenant_id, cost_center, unit, description
    UNION ALL
    SELECT
        statement,
        'rounding' AS kind,
        substr(CAST(${from} AS varchar), 1, 7) AS period,
        tenant_id,
        cost_center,
        unit,
        'Rounding to cents' AS description,
        CAST(sum(rounding) AS decimal(38, 12)) AS amount
    FROM stated
    GROUP BY statement, tenant_id, cost_center, unit
)
SELECT
    CAST(NULL AS varchar) AS AvailabilityZone,
    amount AS BilledCost,
    unit AS BillingAccountId,
    unit AS BillingAccountName,
    'Business unit' AS BillingAccountType,
    'USD' AS BillingCurrency,
    CAST(${to} AS timestamp) AS BillingPeriodEnd,
    CAST(${from} AS timestamp) AS BillingPeriodStart,
    CAST(NULL AS varchar) AS CapacityReservationId,
    CAST(NULL AS varchar) AS CapacityReservationStatus,
    CASE WHEN kind = 'shared' THEN 'Purchase' WHEN kind IN ('discount', 'credit') THEN 'Credit' ELSE 'Adjustment' END AS ChargeCategory,
    CASE WHEN kind IN ('credit_note', 'debit_note') THEN 'Correction' END AS ChargeClass,
    description AS ChargeDescription,
    CASE WHEN kind = 'shared' THEN 'Recurring' ELSE 'One-Time' END AS ChargeFrequency,
    CAST(CAST(period || '-01' AS date) + INTERVAL '1' MONTH AS timestamp) AS ChargePeriodEnd,
    CAST(CAST(period || '-01' AS date) AS timestamp) AS ChargePeriodStart,
    CAST(NULL AS varchar) AS CommitmentDiscountCategory,
    CAST(NULL AS varchar) AS CommitmentDiscountId,
    CAST(NULL AS varchar) AS CommitmentDiscountName,
    CAST(NULL AS decimal(38, 12)) AS CommitmentDiscountQuantity,
    CAST(NULL AS varchar) AS CommitmentDiscountStatus,
    CAST(NULL AS varchar) AS CommitmentDiscountType,
    CAST(NULL AS varchar) AS CommitmentDiscountUnit,
    CAST(NULL AS decimal(38, 12)) AS ConsumedQuantity,
    CAST(NULL AS varchar) AS ConsumedUnit,
    amount AS ContractedCost,
    CASE WHEN kind = 'shared' THEN CAST(amount AS decimal(38, 18)) END AS ContractedUnitPrice,
    amount AS EffectiveCost,
    'AWS' AS HostProviderName,
    statement AS InvoiceId,
    ${issuer} AS InvoiceIssuerName,
    amount AS ListCost,
    CASE WHEN kind = 'shared' THEN CAST(amount AS decimal(38, 18)) END AS ListUnitPrice,
    CASE WHEN kind = 'shared' THEN 'Standard' END AS PricingCategory,
    'USD' AS PricingCurrency,
    CASE WHEN kind = 'shared' THEN CAST(amount AS decimal(38, 18)) END AS PricingCurrencyContractedUnitPrice,
    amount AS PricingCurrencyEffectiveCost,
    CASE WHEN kind = 'shared' THEN CAST(amount AS decimal(38, 18)) END AS PricingCurrencyListUnitPrice,
    CASE WHEN kind = 'shared' THEN CAST(1 AS decimal(38, 12)) END AS PricingQuantity,
    CASE WHEN kind = 'shared' THEN 'Months' END AS PricingUnit,
    ${issuer} AS ProviderName,
    ${issuer} AS PublisherName,
    CAST(NULL AS varchar) AS RegionId,
    CAST(NULL AS varchar) AS RegionName,
    CAST(NULL AS varchar) AS ResourceId,
    CAST(NULL AS varchar) AS ResourceName,
    CAST(NULL AS varchar) AS ResourceType,
    'AI and Machine Learning' AS ServiceCategory,
    ${issuer} AS ServiceName,
    ${issuer} AS ServiceProviderName,
    'AI Platforms' AS ServiceSubcategory,
    CASE WHEN kind = 'shared' THEN 'shared/' || description END AS SkuId,
    CASE WHEN kind = 'shared' THEN 'shared' END AS SkuMeter,
    CASE WHEN kind = 'shared' THEN map(ARRAY['x_kind'], ARRAY[kind]) END AS SkuPriceDetails,
    CASE WHEN kind = 'shared' THEN 'shared/' || description END AS SkuPriceId,
    tenant_id AS SubAccountId,
    tenant_id AS SubAccountName,
    'Tenant' AS SubAccountType,
    map(
        ARRAY['tenant', 'cost_center', 'business_unit'],
        ARRAY[tenant_id, cost_center, unit]
    ) AS Tags,
    CAST(NULL AS varchar) AS x_AwsAccountId,
    CAST(0 AS bigint) AS x_Calls,
    cost_center AS x_CostCenter,
    'statement' AS x_Source
FROM lines
WHERE amount <> 0
ORDER BY SubAccountId, BillingAccountId, x_CostCenter, ChargeCategory, ChargeDescription, ChargePeriodStart
