-- How many ledger rows each tenant has in each month, and what they add up to, in exact US dollars.
--
-- Months are of when a call began (UTC). `make close` compares it with what was stated of those months:
-- where it differs, rows came later, and the next statement has a credit or debit note for them.
--
-- totals: ledger_rows, cost
SELECT
    CAST(date_trunc('month', dt) AS date) AS month,
    tenant_id,
    count(*) AS ledger_rows,
    CAST(sum(CAST(total_cost AS decimal(26, 0))) AS decimal(26, 0))
        * CAST('0.000000000001' AS decimal(12, 12)) AS cost
FROM usage
WHERE dt >= ${from} AND dt < ${to}
GROUP BY CAST(date_trunc('month', dt) AS date), tenant_id
ORDER BY month, tenant_id
