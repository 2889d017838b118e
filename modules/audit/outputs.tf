output "access_log_bucket_name" {
  description = "Name of the bucket for S3's access logs; null without one."
  value       = one(aws_s3_bucket.access[*].bucket)

  # S3 refuses a target that does not let it write yet.
  depends_on = [aws_s3_bucket_policy.access]
}

output "audit_bucket_name" {
  description = "Name of the bucket with the trail and the copies of logs; null without one."
  value       = one(aws_s3_bucket.audit[*].bucket)
}

output "event_selectors" {
  description = "Advanced event selectors for this deployment's data events, in the form of `aws cloudtrail put-event-selectors`; for the owner of a trail that is not own."
  value = [
    for selector in local._data_selectors : {
      Name = selector.name
      FieldSelectors = [
        for field in selector.fields : merge(
          { Field = field.field },
          can(field.equals) ? { Equals = field.equals } : {},
          can(field.starts_with) ? { StartsWith = field.starts_with } : {},
        )
      ]
    }
  ]
}

output "trail_arn" {
  description = "ARN of the own trail; null without one."
  value       = one(aws_cloudtrail.this[*].arn)
}
