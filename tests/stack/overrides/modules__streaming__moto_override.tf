# moto returns the redrive policy with spaces in its JSON, which AWS does not, and the provider
# compares texts.
resource "aws_sqs_queue" "jobs" {
  lifecycle {
    ignore_changes = [redrive_policy]
  }
}

# moto takes the condition of a denial for fulfilled, so it would refuse every object, TLS or not.
locals {
  payloads_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "NobodyEverDoesThis"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:GetBucketTorrent"
      Resource  = [aws_s3_bucket.payloads.arn]
    }]
  })
}
