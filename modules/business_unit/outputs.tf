output "item_id" {
  description = "Id of the item with the unit's budget, for what must not be there before it."
  value       = aws_dynamodb_table_item.policy.id
}
