output "access_log_group_name" {
  description = "Name of the log group with one JSON line per request."
  value       = aws_cloudwatch_log_group.access.name
}

output "execution_arn" {
  description = "ARN prefix of the API's methods, for permissions."
  value       = aws_api_gateway_rest_api.this.execution_arn
}

output "execution_log_group_name" {
  description = "Name of the log group with what went wrong in the API itself."
  value       = aws_cloudwatch_log_group.execution.name
}

output "invoke_url" {
  description = "Base URL of the stage."
  value       = aws_api_gateway_stage.this.invoke_url

  depends_on = [
    aws_api_gateway_method_settings.all,
    aws_lambda_permission.authorizer,
    aws_lambda_permission.operation,
    aws_lambda_permission.unrouted,
  ]
}

output "rest_api_id" {
  description = "Id of the REST API."
  value       = aws_api_gateway_rest_api.this.id
}

output "stage_arn" {
  description = "ARN of the stage, for a web ACL."
  value       = aws_api_gateway_stage.this.arn
}

output "stage_name" {
  description = "Name of the stage; known once the stage exists."
  value       = aws_api_gateway_stage.this.stage_name
}
