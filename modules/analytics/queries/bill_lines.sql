-- What AWS bills for models and endpoints, by day, account, usage type and what it knows of tenants.
--
-- Reads the table `bill`, which bill_export makes (terraform/README.md). A model of a third party comes
-- through the marketplace, where its name is the product's. Amounts are in the unit that pricing_unit
-- names, costs in exact US dollars: the export's floating-point numbers with twelve places. A tenant is
-- known by the tag of the session that called, or by that of the inference profile.
--
-- totals: lines, cost
-- parameters:
--   first_period text = '2026-01': the first billing period that is read, as YYYY-MM
--   last_period text = '9999-12': the last one; what is charged later can be of earlier days
SELECT
    CAST(line_item_usage_start_date AS date) AS dt,
    line_item_usage_account_id AS account_id,
    product_region_code AS region,
    line_item_usage_type AS usage_type,
    element_at(product, 'product_name') AS product_name,
    line_item_line_item_type AS line_type,
    pricing_unit,
    element_at(tags, 'iamPrincipal/tenant') AS session_tenant,
    coalesce(element_at(tags, 'resourceTags/tenant'), element_at(resource_tags, 'user_tenant')) AS profile_tenant,
    max(line_item_iam_principal) AS principal,
    count(*) AS lines,
    CAST(sum(CAST(line_item_usage_amount AS decimal(26, 12))) AS decimal(38, 12)) AS amount,
    CAST(sum(CAST(line_item_unblended_cost AS decimal(26, 12))) AS decimal(38, 12)) AS cost
FROM bill
WHERE billing_period >= ${first_period}
    AND billing_period <= ${last_period}
    AND line_item_usage_start_date >= ${from}
    AND line_item_usage_start_date < ${to}
    AND (
        line_item_product_code IN ('AmazonBedrock', 'AmazonBedrockFoundationModels', 'AmazonBedrockService')
        OR element_at(product, 'product_name') LIKE '%(Amazon Bedrock Edition)%'
        OR line_item_operation LIKE 'InvokeModel%'
        OR (line_item_product_code = 'AmazonSageMaker' AND line_item_usage_type LIKE '%Host:%')
    )
GROUP BY
    CAST(line_item_usage_start_date AS date),
    line_item_usage_account_id,
    product_region_code,
    line_item_usage_type,
    element_at(product, 'product_name'),
    line_item_line_item_type,
    pricing_unit,
    element_at(tags, 'iamPrincipal/tenant'),
    coalesce(element_at(tags, 'resourceTags/tenant'), element_at(resource_tags, 'user_tenant'))
ORDER BY dt, account_id, usage_type
