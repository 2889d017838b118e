# moto returns the redrive policy with spaces in its JSON, which AWS does not, and the provider
# compares texts.
resource "aws_sqs_queue" "jobs" {
  lifecycle {
    ignore_changes = [redrive_policy]
  }
}
