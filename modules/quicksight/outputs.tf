output "dashboard_id" {
  description = "Id of the dashboard, which its address in QuickSight ends with."
  value       = aws_quicksight_dashboard.this.dashboard_id
}

output "data_set_arn" {
  description = "ARN of the dataset with what each viewer may see, for other analyses."
  value       = aws_quicksight_data_set.usage.arn
}
