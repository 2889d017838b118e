"""The columns of the FOCUS files, by name and Glue type, in order.

Those of FOCUS 1.2, what 1.4 calls two of them beside these (`ServiceProviderName`,
`HostProviderName`), and four of our own, which FOCUS wants to begin with `x_`. Glue knows them in
lower case, as Athena does; files written on this machine have FOCUS's own spelling.
"""

from __future__ import annotations

_COST = "decimal(38,12)"
_PRICE = "decimal(38,18)"
_QUANTITY = "decimal(38,12)"
_PAIRS = "map<string,string>"

FOCUS_COLUMNS: tuple[tuple[str, str], ...] = (
    ("AvailabilityZone", "string"),
    ("BilledCost", _COST),
    ("BillingAccountId", "string"),
    ("BillingAccountName", "string"),
    ("BillingAccountType", "string"),
    ("BillingCurrency", "string"),
    ("BillingPeriodEnd", "timestamp"),
    ("BillingPeriodStart", "timestamp"),
    ("CapacityReservationId", "string"),
    ("CapacityReservationStatus", "string"),
    ("ChargeCategory", "string"),
    ("ChargeClass", "string"),
    ("ChargeDescription", "string"),
    ("ChargeFrequency", "string"),
    ("ChargePeriodEnd", "timestamp"),
    ("ChargePeriodStart", "timestamp"),
    ("CommitmentDiscountCategory", "string"),
    ("CommitmentDiscountId", "string"),
    ("CommitmentDiscountName", "string"),
    ("CommitmentDiscountQuantity", _QUANTITY),
    ("CommitmentDiscountStatus", "string"),
    ("CommitmentDiscountType", "string"),
    ("CommitmentDiscountUnit", "string"),
    ("ConsumedQuantity", _QUANTITY),
    ("ConsumedUnit", "string"),
    ("ContractedCost", _COST),
    ("ContractedUnitPrice", _PRICE),
    ("EffectiveCost", _COST),
    ("HostProviderName", "string"),
    ("InvoiceId", "string"),
    ("InvoiceIssuerName", "string"),
    ("ListCost", _COST),
    ("ListUnitPrice", _PRICE),
    ("PricingCategory", "string"),
    ("PricingCurrency", "string"),
    ("PricingCurrencyContractedUnitPrice", _PRICE),
    ("PricingCurrencyEffectiveCost", _COST),
    ("PricingCurrencyListUnitPrice", _PRICE),
    ("PricingQuantity", _QUANTITY),
    ("PricingUnit", "string"),
    ("ProviderName", "string"),
    ("PublisherName", "string"),
    ("RegionId", "string"),
    ("RegionName", "string"),
    ("ResourceId", "string"),
    ("ResourceName", "string"),
    ("ResourceType", "string"),
    ("ServiceCategory", "string"),
    ("ServiceName", "string"),
    ("ServiceProviderName", "string"),
    ("ServiceSubcategory", "string"),
    ("SkuId", "string"),
    ("SkuMeter", "string"),
    ("SkuPriceDetails", _PAIRS),
    ("SkuPriceId", "string"),
    ("SubAccountId", "string"),
    ("SubAccountName", "string"),
    ("SubAccountType", "string"),
    ("Tags", _PAIRS),
    ("x_AwsAccountId", "string"),
    ("x_Calls", "bigint"),
    ("x_CostCenter", "string"),
    ("x_Source", "string"),
)
