# moto takes the condition of a denial for fulfilled, so it would refuse every object, TLS or not.
locals {
  bucket_policy_by_name = {
    for name, bucket in local.bucket_by_name : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "NobodyEverDoesThis"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:GetBucketTorrent"
        Resource  = [bucket.arn]
      }]
    })
  }
}
