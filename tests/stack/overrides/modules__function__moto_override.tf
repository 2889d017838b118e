# moto accepts both blocks of CreateFunction and leaves them out of GetFunction.
resource "aws_lambda_function" "this" {
  lifecycle {
    ignore_changes = [dead_letter_config, logging_config]
  }
}
