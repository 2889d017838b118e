# Metrics are the function's own, in the gateway's namespace under its name as the dimension `service`. A metric that
# has no figure is one of which nothing went wrong.
resource "aws_cloudwatch_metric_alarm" "metric" {
  for_each = var.alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "Tollgate"
  metric_name         = each.key
  dimensions          = { service = local.name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

# Nobody waits for a scheduled run, so nobody would see it fail.
resource "aws_cloudwatch_metric_alarm" "failed_runs" {
  count = var.schedule_expression == null ? 0 : 1

  alarm_name          = "${local.name}-failed-runs"
  alarm_description   = "Runs of ${local.name} failed; its log says at what, and the queue ${local.name}-dead has the events."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}
