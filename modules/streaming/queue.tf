locals {
  # As long as the stream function may run: Lambda takes no queue whose messages come back sooner. What fails is made
  # visible by the function itself, after seconds.
  visibility_timeout_seconds = 900
  # A job's message that waited a day has outlived its hold; the dead letters stay for a look by a person.
  message_retention_seconds = 86400
  dead_retention_seconds    = 1209600
  # At ten seconds between two, as often as a job waits: its deadline ends it, not the number of tries.
  max_receive_count = 180
  # How long SQS may reuse a data key before it asks KMS again; the default of 300 costs more calls.
  data_key_reuse_seconds = 3600

  queue_arn_by_name = {
    jobs = aws_sqs_queue.jobs.arn
    dead = aws_sqs_queue.dead.arn
  }
  queue_policy_by_name = {
    for name, arn in local.queue_arn_by_name : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}

resource "aws_sqs_queue" "jobs" {
  name                              = "${var.prefix}-jobs"
  visibility_timeout_seconds        = local.visibility_timeout_seconds
  message_retention_seconds         = local.message_retention_seconds
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = local.data_key_reuse_seconds
  tags                              = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = local.max_receive_count
  })
}

resource "aws_sqs_queue" "dead" {
  name                              = "${var.prefix}-jobs-dead"
  message_retention_seconds         = local.dead_retention_seconds
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = local.data_key_reuse_seconds
  tags                              = var.tags
}

resource "aws_sqs_queue_policy" "jobs" {
  queue_url = aws_sqs_queue.jobs.id
  policy    = local.queue_policy_by_name.jobs
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  policy    = local.queue_policy_by_name.dead
}
